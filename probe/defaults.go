package probe

import (
	_ "embed"
	"fmt"
)

//go:embed defaults.yml
var defaultModules []byte

// DefaultModules returns the modules that there are without a file, but for those
// that need what the features do not have.
func DefaultModules(f Features) map[string]*Module {
	modules, err := ParseModules("defaults.yml", defaultModules, nil)
	if err != nil {
		panic(fmt.Sprintf("probe: the modules that are built in: %v", err)) // a test reads them
	}
	for name, m := range modules {
		if f.lacks(m) != "" {
			delete(modules, name)
		}
	}
	return modules
}
