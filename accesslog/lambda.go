package accesslog

import (
	"bytes"
	"strings"

	"narthex"
)

// A lambda parser reads what Lambda writes about invocations into a function's
// log: REPORT lines, or platform.report events where the log format is JSON.
// EMF lines, which functions write beside them, are metrics; all else is
// ignored.
type lambda struct {
	function []byte // from the log's name
	objects  *objects
	emf      *embedded
	parts    []part
	success  []byte
}

// A part of a REPORT line is a name, a number and a unit.
type part struct {
	name []byte
	target
}

// newLambda returns the parser for the log of a name, which has the log
// group's: /aws/lambda/FUNCTION.
func newLambda(name string, p *plan, emf *embedded) *lambda {
	l := &lambda{objects: newObjects(lambdaReport(), measureInvocations, p), emf: emf, success: []byte("success"), parts: []part{
		{[]byte("Billed Duration: "), target{verb: verbNumber, m: measureBilled, digits: 6}},
		{[]byte("Init Duration: "), target{verb: verbNumber, m: measureInit, digits: 6}},
		{[]byte("Max Memory Used: "), target{verb: verbNumber, m: measureMemory, shift: 20}},
	}}
	if _, function, ok := strings.Cut(name, "/aws/lambda/"); ok {
		function, _, _ = strings.Cut(function, "/")
		function, _, _ = strings.Cut(function, ":")
		l.function = []byte(function)
	}
	return l
}

func (l *lambda) parse(line []byte, r *request) ([]byte, reason) {
	r.f[fieldFunction] = l.function
	if line[0] == '{' {
		if l.emf.parser != nil && bytes.Contains(line, []byte(`"_aws"`)) {
			return l.emf.parse(line, r)
		}
		if !bytes.Contains(line, []byte(`"platform.report"`)) {
			return nil, ignored
		}
		rest, why := l.objects.parse(line, r)
		if why == fine && string(r.f[fieldKind]) != "platform.report" {
			why = ignored
		}
		return rest, why
	}
	at := bytes.Index(line, []byte("REPORT RequestId: "))
	if at < 0 || at > 40 { // some exports put the time before it
		return nil, ignored
	}
	if at > 20 {
		r.time, _ = isoMillis(bytes.TrimSpace(line[:at]))
	}
	return nil, l.report(line[at+len("REPORT RequestId: "):], r)
}

// report reads the parts of a REPORT line, which stand between tabs or, where
// these were lost, blanks: "Duration: 12.34 ms".
func (l *lambda) report(b []byte, r *request) reason {
	// The duration comes first; others that end in its name come behind it.
	at := bytes.Index(b, []byte("Duration: "))
	if at < 0 {
		return tooShort
	}
	duration := target{verb: verbNumber, m: measureExecution, digits: 6}
	duration.set(r, firstWord(b[at+len("Duration: "):]), nil)
	for i := range l.parts {
		if at := bytes.Index(b, l.parts[i].name); at >= 0 {
			l.parts[i].set(r, firstWord(b[at+len(l.parts[i].name):]), nil)
		}
	}
	r.f[fieldResult] = l.success
	if at := bytes.Index(b, []byte("Status: ")); at >= 0 {
		r.f[fieldResult] = firstWord(b[at+len("Status: "):])
	}
	r.n[measureInvocations] = 1
	return r.rejected
}

// firstWord returns what is before the first blank or tab.
func firstWord(b []byte) []byte {
	if end := bytes.IndexAny(b, "\t "); end >= 0 {
		return b[:end]
	}
	return b
}

// An embedded parser hands lines in CloudWatch's embedded metric format to the
// function that can read them.
type embedded struct {
	parser func(line []byte) ([]narthex.Series, error)
}

func (e *embedded) parse(line []byte, r *request) ([]byte, reason) {
	if line[0] != '{' {
		return nil, ignored // what a program prints beside its metrics
	}
	series, err := e.parser(line)
	if err != nil {
		return nil, badMetrics
	}
	r.foreign = series
	return nil, fine
}
