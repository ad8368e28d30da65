package awstest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// DynamoDB starts dynalite with [Table] and returns its address.
func DynamoDB(t testing.TB) string {
	t.Helper()
	address := node(t, "dynamodb.mjs")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	db := Session(t, address).DynamoDB()
	if err := db.CreateTable(ctx, Table, "pk"); err != nil {
		t.Fatal(err)
	}
	for {
		status, err := db.TableStatus(ctx, Table)
		if err != nil {
			t.Fatal(err)
		}
		if status == "ACTIVE" {
			return address
		}
	}
}

// SQS starts fauxqs, which has no queues yet, and returns its address.
func SQS(t testing.TB) string {
	t.Helper()
	return node(t, "sqs.mjs")
}

// node runs a program of test/aws and returns the address that it prints.
func node(t testing.TB, program string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "..", "..", "test", "aws")
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs Node.js: apt-get install nodejs npm")
	}
	install(t, dir)
	cmd := exec.Command(path, program)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // the program ends with it
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s printed no address: %v", program, err)
	}
	return strings.TrimSpace(address)
}

// install brings the npm packages as locked. Tests of several packages run at
// the same time, and one of them installs for all.
func install(t testing.TB, dir string) {
	t.Helper()
	unlock := lock(t, filepath.Join(dir, "package-lock.json"))
	defer unlock()
	// npm writes this file last.
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil {
		return
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in test/aws: %v\n%s", err, out)
	}
}
