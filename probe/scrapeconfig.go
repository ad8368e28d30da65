package probe

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex"
)

// ScrapeConfig says what Prometheus's jobs are to be like that have targets probed
// by a narthex.
type ScrapeConfig struct {
	// At is where narthex is; several of them probe the same targets from several
	// places. Empty is http://127.0.0.1:9091.
	At []Place
	// Targets are listed in the job; without any, Prometheus asks narthex for those of
	// its configuration.
	Targets []string
	// Module is that of Targets, default http_2xx.
	Module string
	// Job is the label job of all of them, default probe.
	Job string
	// TokenFile is the file with the token that Prometheus sends, "" for none.
	TokenFile string
}

// Place is a narthex.
type Place struct {
	Region string // becomes the label region; "" leaves it as narthex says
	URL    string // such as https://narthex.example
}

// WriteScrapeConfig writes the jobs as Prometheus's configuration has them.
//
// Source: Prometheus, "Configuration", scrape_config and http_sd_config.
func WriteScrapeConfig(w io.Writer, c ScrapeConfig) error {
	if len(c.At) == 0 {
		c.At = []Place{{URL: "http://127.0.0.1:9091"}}
	}
	if c.Module == "" {
		c.Module = "http_2xx"
	}
	if c.Job == "" {
		c.Job = "probe"
	}
	var jobs []scrapeJob
	names := make(map[string]bool)
	for _, p := range c.At {
		u, err := url.Parse(p.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return narthex.Errorf(narthex.Invalid, "%q is no address such as https://narthex.example", p.URL)
		}
		name := c.Job
		switch {
		case p.Region != "":
			name += "-" + p.Region
		case len(c.At) > 1:
			name += "-" + u.Host
		}
		if names[name] {
			return narthex.Errorf(narthex.Invalid, "two places have the name %s: give each a region, as us-west-2=https://narthex.example", name)
		}
		names[name] = true
		jobs = append(jobs, c.job(name, p, u))
	}
	if _, err := io.WriteString(w, scrapeConfigHead); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(map[string]any{"scrape_configs": jobs}); err != nil {
		return fmt.Errorf("write the job: %w", err)
	}
	return enc.Close()
}

const scrapeConfigHead = `# Printed by narthex probe --write-scrape-config. Put it into prometheus.yml.
`

// scrapeJob is a scrape_config.
type scrapeJob struct {
	Job           string              `yaml:"job_name"`
	Scheme        string              `yaml:"scheme"`
	Path          string              `yaml:"metrics_path,omitempty"`
	Params        map[string][]string `yaml:"params,omitempty"`
	Authorization *credentials        `yaml:"authorization,omitempty"`
	Discovery     []discovery         `yaml:"http_sd_configs,omitempty"`
	Static        []targetGroup       `yaml:"static_configs,omitempty"`
	Relabel       []relabelStep       `yaml:"relabel_configs"`
}

type credentials struct {
	File string `yaml:"credentials_file"`
}

type discovery struct {
	URL           string       `yaml:"url"`
	Authorization *credentials `yaml:"authorization,omitempty"`
}

type relabelStep struct {
	Source      []string `yaml:"source_labels,flow,omitempty"`
	Target      string   `yaml:"target_label"`
	Replacement string   `yaml:"replacement,omitempty"`
}

// job returns a job.
func (c *ScrapeConfig) job(name string, p Place, u *url.URL) scrapeJob {
	job := scrapeJob{Job: name, Scheme: u.Scheme}
	if c.TokenFile != "" {
		job.Authorization = &credentials{c.TokenFile}
	}
	// All places have one job label, so that rules need not know them.
	relabel := []relabelStep{{Target: "job", Replacement: c.Job}}
	if p.Region != "" {
		relabel = append(relabel, relabelStep{Target: "region", Replacement: p.Region})
	}
	if len(c.Targets) == 0 {
		job.Discovery = []discovery{{u.Scheme + "://" + u.Host + "/api/v1/probe/targets", job.Authorization}}
		job.Relabel = relabel
		return job
	}
	job.Path, job.Params = "/probe", map[string][]string{"module": {c.Module}}
	job.Static = []targetGroup{{c.Targets, map[string]string{"module": c.Module}}}
	job.Relabel = append([]relabelStep{
		{Source: []string{"__address__"}, Target: "__param_target"},
		{Source: []string{"__param_target"}, Target: "instance"},
		{Source: []string{"__param_target"}, Target: "name"},
		{Target: "__address__", Replacement: u.Host},
	}, relabel...)
	return job
}
