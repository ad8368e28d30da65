package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/yamldoc"
)

// Input is a file and what it refers to. Env and Secret may be nil.
type Input struct {
	Name string // the file's, for errors
	Data []byte
	// Env gives the environment's variables, as os.LookupEnv does, for ${NAME} in
	// secrets.
	Env func(name string) (string, bool)
	// Secret gives the secret that a reference stands for: ssm:/name, or
	// secretsmanager:name, which may end with # and a key of its JSON. Its errors
	// are told, so they must not have the secret. Nil leaves references as they
	// are, for those who only look at the file.
	Secret func(reference string) (string, error)
	// Overrides are settings from elsewhere; they come after the file's.
	Overrides []Override
}

// Override is a setting that something else than the file gives.
type Override struct {
	From  string // what gives it, for errors, such as a variable's name
	Path  string // of the setting, such as lambda.queue
	Value string // as in the file
	YAML  bool   // the value is more than a word
}

// Read reads a configuration as [Load] does.
func Read(in Input) (*Config, error) {
	c := Default()
	c.name, c.set, c.given = in.Name, make(map[string]int), make(map[string]string)
	r := &reader{Reader: yamldoc.NewReader(in.Name), input: in, config: c, wrong: make(map[string]bool)}
	if len(in.Data) > maxFile {
		r.add(0, fmt.Sprintf("the file is larger than %s", FormatSize(maxFile)))
		return nil, r.Err()
	}
	root, ok := r.Document(in.Data)
	if ok && root != nil {
		r.section("", root)
	}
	for _, o := range in.Overrides {
		r.override(o)
	}
	if ok {
		r.relations()
		r.otlp()
		r.signIn()
	}
	for _, check := range r.later {
		check()
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// override reads a setting from elsewhere.
func (r *reader) override(o Override) {
	at, ok := find(o.Path)
	if !ok {
		r.add(0, o.From+": there is no setting "+o.Path)
		return
	}
	defer r.Rename(o.From)()
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: o.Value}
	if o.YAML {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(o.Value), &doc); err != nil || len(doc.Content) == 0 {
			r.add(0, "this is not YAML") // the error may have a part of it
			return
		}
		n = doc.Content[0]
	}
	r.config.given[o.Path] = o.From
	delete(r.config.set, o.Path)
	before := r.Problems()
	at.in(r.config).read(r, o.Path, n)
	r.wrong[o.Path] = r.Problems() > before
}

// reference reports whether a secret is one that is kept elsewhere.
func reference(s string) bool {
	return strings.HasPrefix(s, "ssm:") || strings.HasPrefix(s, "secretsmanager:")
}
