package ledger

// File is what the log writes to; tests put faults behind it.
type File = file

// WithFiles returns o with a log whose files are made by create, which is given
// the ordinary way to make one.
func (o Options) WithFiles(create func(path string, real func(string) (File, error)) (File, error)) Options {
	o.create = func(path string) (file, error) { return create(path, createFile) }
	return o
}

// WithFilesFound returns o with a log whose last file, as it was left, is opened by
// open, which is given the ordinary way to.
func (o Options) WithFilesFound(open func(path string, real func(string) (File, error)) (File, error)) Options {
	o.open = func(path string) (file, error) { return open(path, openFile) }
	return o
}

// ReadLog reads a log file as the start of a ledger does, and returns how many
// records it has.
func ReadLog(path string, last bool) (records, torn int, err error) {
	_, torn, err = readLog(path, 1, last, openFile, func(record) error { records++; return nil })
	return records, torn, err
}

// ParseRecord decodes a record of the log and, if it is an entry, encodes it
// again.
func ParseRecord(b []byte) (again []byte, err error) {
	r, err := parseRecord(b)
	if err != nil {
		return nil, err
	}
	if r.entry == nil {
		return appendTick(nil, r.tick, r.taken, r.interval, r.behind), nil
	}
	return appendEntry(nil, r.entry), nil
}

// AppendSum appends the checksum that a checkpoint ends with.
func AppendSum(b []byte) []byte { return appendSum(b) }
