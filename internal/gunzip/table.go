package gunzip

import "math/bits"

// How many symbols a code may have, and how long its words may be (RFC 1951,
// sections 3.2.5 to 3.2.7). Two symbols of each code have words in fixed codes and
// must not come.
const (
	maxLitlen  = 286
	maxDist    = 30
	maxCode    = 19
	longestBit = 15
	endOfBlock = 256
)

// A code's table is looked up by the next bits of the stream. Words that are longer
// have tables of their own behind it. The sizes are the most that complete codes
// need ("enough" of zlib).
const (
	litlenBits, litlenSize = 11, 2342
	distBits, distSize     = 8, 402
	codeBits, codeSize     = 7, 128
)

// An entry says all that is to be done for what was looked up:
//
//	bits 0 to 7    how many bits it takes, those behind the word included
//	bits 8 to 13   how many the word takes itself
//	bit 15         special: the end of the block, a table (bit 14) or an error
//	bits 16 to 30  the literal, the least length or distance, or where the table is
//	bit 31         a literal
//
// Of a table bits 8 to 13 are how many bits it is looked up by.
type entry uint32

const (
	literal entry = 1 << 31
	special entry = 1 << 15
	further entry = 1 << 14
	theEnd  entry = special | 1<<16
	invalid entry = special
)

// value returns bits 16 and on, but for the flag of literals.
func (e entry) value() int { return int(e &^ literal >> 16) }

// takes returns how many bits an entry takes.
func (e entry) takes() uint64 { return uint64(uint8(e)) }

// number returns the least length or distance and what the bits behind the word
// add to it.
func (e entry) number(stream uint64) int {
	return int(e>>16) + int(stream&(1<<(e&63)-1)>>(e>>8&63))
}

// alphabets are the entries of all symbols, but for their words' lengths.
type alphabets struct {
	litlen [288]entry
	dist   [32]entry
	length [maxCode]entry
}

func newAlphabets() (a alphabets) {
	for i := range a.litlen {
		a.litlen[i] = literal | entry(i)<<16
	}
	a.litlen[endOfBlock] = theEnd
	base := 3
	for i := endOfBlock + 1; i < maxLitlen-1; i++ {
		extra := max(0, (i-261)/4)
		a.litlen[i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	a.litlen[maxLitlen-1] = longest << 16
	a.litlen[maxLitlen], a.litlen[maxLitlen+1] = invalid, invalid
	base = 1
	for i := range maxDist {
		extra := max(0, (i-2)/2)
		a.dist[i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	a.dist[maxDist], a.dist[maxDist+1] = invalid, invalid
	for i := range a.length {
		a.length[i] = entry(i) << 16
	}
	return a
}

// A code is a prefix code while its table is made.
type code struct {
	table []entry
	bits  int                   // that table is looked up by
	count [longestBit + 1]int   // of words by their length
	next  [longestBit + 1]int   // where symbols of a length go in sorted
	order [maxLitlen + 2]uint16 // the symbols by their words
	end   int                   // of what is in use of table
}

// build makes the table of a code from the lengths of its words. It returns false
// if there is no such code: too many words, or too few, except for one word of one
// bit (which some programs write if there is one distance) and for none.
func build(table []entry, tableBits int, lens []uint8, symbols []entry) bool {
	c := code{table: table, bits: tableBits, end: 1 << tableBits}
	used, ok := c.sort(lens)
	if !ok {
		return false
	}
	word, length, start, width, prefix := uint32(0), 0, 0, 0, uint32(0)
	for i, symbol := range c.order[:used] {
		n := int(lens[symbol])
		word <<= n - length
		length = n
		at := bits.Reverse32(word) >> (32 - n) // as the stream has it, its first bit lowest
		word++
		if n <= tableBits {
			fill(table[:1<<tableBits], at, n, symbols[symbol])
			continue
		}
		if first := at&(1<<tableBits-1) + 1; first != prefix {
			prefix = first
			start, width = c.further(n, c.next[n]-i)
			table[first-1] = special | further | entry(start)<<16 | entry(width)<<8 | entry(tableBits)
		}
		fill(table[start:start+1<<width], at>>tableBits, n-tableBits, symbols[symbol])
	}
	return true
}

// fill enters a word wherever the bits behind it may lead.
func fill(table []entry, word uint32, n int, symbol entry) {
	e := symbol + entry(n)<<8 + entry(n)
	for i := int(word); i < len(table); i += 1 << n {
		table[i] = e
	}
}

// sort counts and orders the words. It returns how many there are, and false if
// they are no code.
func (c *code) sort(lens []uint8) (used int, ok bool) {
	for _, n := range lens {
		c.count[n]++
	}
	used = len(lens) - c.count[0]
	c.count[0] = 0
	space, at := 1<<longestBit, 0
	for n := range c.count {
		c.next[n] = at
		at += c.count[n]
		space -= c.count[n] << (longestBit - n)
	}
	if space < 0 || space > 0 && used > 0 && !(used == 1 && c.count[1] == 1) {
		return 0, false
	}
	if space > 0 {
		for i := range c.table[:1<<c.bits] {
			c.table[i] = invalid
		}
	}
	for symbol, n := range lens {
		if n > 0 {
			c.order[c.next[n]] = uint16(symbol)
			c.next[n]++
		}
	}
	return used, true
}

// further takes room for a table of words of n bits, of which so many are left, and
// of longer ones. It is as wide as the longest of those that share their first bits.
func (c *code) further(n, left int) (start, width int) {
	width = n - c.bits
	for space := left; space < 1<<width; {
		width++
		space = space<<1 + c.count[c.bits+width]
	}
	start = c.end
	c.end += 1 << width
	return start, width
}
