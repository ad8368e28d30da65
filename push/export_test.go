package push

import "narthex"

// ParseGroupKey reads the path of a Pushgateway's URL from job on. It returns
// the labels with a value and the names of those without.
func ParseGroupKey(path string, names narthex.NameScheme) (narthex.Labels, []string, error) {
	k, err := parseGroupKey(path, names)
	return k.labels, k.empty, err
}

// GroupPath writes labels as the path of a Pushgateway's URL from job on.
func GroupPath(group []narthex.Label) string { return groupPath(group) }
