package config

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// maxFile is how large a file may be, in bytes.
const maxFile = 1 << 20

// ReadFile reads the file at path, which is also its name, as [Read] does.
func ReadFile(path string, in Input) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	in.Name = path
	if in.Data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Read(in)
}

// Parse reads data, the content of the file with the name, as [Read] does. Data
// without content gives the default.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	return Read(Input{Name: name, Data: data, Env: env})
}

// section reads the mapping at the path, which is "" for the whole file.
func (r *reader) section(path string, n *yaml.Node) {
	r.mapping(path, n, "settings", func(key, n *yaml.Node) {
		full := join(path, key.Value)
		if o, ok := find(full); ok {
			r.config.set[full] = key.Line
			before := r.Problems()
			o.in(r.config).read(r, full, n)
			r.wrong[full] = r.Problems() > before
			return
		}
		keys, elsewhere := keysOf(path), ""
		for _, k := range keys {
			if k == key.Value { // a section
				if !isNull(n) && (full != "storage" || !r.noStorage(n, key.Line)) {
					r.section(full, n)
				}
				return
			}
		}
		for _, o := range options {
			if strings.HasSuffix(o.path, "."+key.Value) {
				elsewhere = o.path
			}
		}
		hint := message.Suggest(key.Value, keys)
		if elsewhere != "" && !strings.HasPrefix(hint, "did") {
			hint = "did you mean " + message.Quote(elsewhere) + "?"
		}
		r.errorf(key, path, "unknown key %s; %s", message.Quote(key.Value), hint)
	})
}

// relations checks what must hold between settings, where both are right in
// themselves.
func (r *reader) relations() {
	for _, rel := range relations {
		less, more := r.duration(rel.less), r.duration(rel.more)
		if less < more || less == more && !rel.strict || r.wrong[rel.less] || r.wrong[rel.more] {
			continue
		}
		must := "must not be above"
		if rel.strict {
			must = "must be below"
		}
		line := r.config.set[rel.less]
		if line == 0 {
			line = r.config.set[rel.more]
		}
		r.add(line, fmt.Sprintf("%s %s %s: %s", r.shown(rel.less), must, r.shown(rel.more), rel.why))
	}
}

// shown returns a setting with its value for a message.
func (r *reader) shown(path string) string {
	text := path + " (" + FormatDuration(r.duration(path))
	if from := r.config.given[path]; from != "" {
		text += ", by " + from
	} else if r.config.set[path] == 0 {
		text += ", the default"
	}
	return text + ")"
}

func (r *reader) duration(path string) time.Duration {
	if o, ok := find(path); ok {
		if v, ok := o.in(r.config).(duration); ok {
			return *v.p
		}
	}
	return 0
}

func find(path string) (option, bool) {
	for _, o := range options {
		if o.path == path {
			return o, true
		}
	}
	return option{}, false
}

// keysOf returns the keys of a section, those of sections in it included.
func keysOf(section string) []string {
	var keys []string
	for _, o := range options {
		rest, ok := o.path, true
		if section != "" {
			rest, ok = strings.CutPrefix(o.path, section+".")
		}
		key, _, _ := strings.Cut(rest, ".")
		if ok && (len(keys) == 0 || keys[len(keys)-1] != key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
