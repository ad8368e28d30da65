package emulator

import "fmt"

// environment returns what a process of an instance has as its environment.
//
// Source: "Using Lambda environment variables", defined runtime environment
// variables. Credentials are those of no one, unless Options.Env has others: of
// two values for a name the later one counts.
func (i *Instance) environment() []string {
	o := &i.f.o
	env := []string{
		"_HANDLER=" + o.Handler,
		"AWS_REGION=" + o.Region,
		"AWS_DEFAULT_REGION=" + o.Region,
		"AWS_LAMBDA_FUNCTION_NAME=" + o.Name,
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", o.Memory),
		"AWS_LAMBDA_FUNCTION_VERSION=" + version,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + i.logStream(),
		"AWS_ACCESS_KEY_ID=ASIAEMULATOR",
		"AWS_SECRET_ACCESS_KEY=emulator",
		"AWS_SESSION_TOKEN=emulator",
		"AWS_LAMBDA_RUNTIME_API=" + i.address,
		"LAMBDA_TASK_ROOT=" + i.f.root,
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"TZ=:UTC",
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"TMPDIR=" + i.dir,
	}
	return append(env, o.Env...)
}

// version is that of the function that is invoked.
const version = "$LATEST"

func (i *Instance) logStream() string {
	return i.started.UTC().Format("2006/01/02") + "/[" + version + "]" + i.id
}
