package emulator

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxUnzipped is how large a package may be, in bytes. Source: "Lambda quotas".
const maxUnzipped = 250 << 20

// unpack returns the directory with the code's bootstrap. A zip file is unpacked
// into dir.
func unpack(code, dir string) (root string, err error) {
	info, err := os.Stat(code)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		root = code
	case strings.HasSuffix(code, ".zip"):
		root, err = dir, unzip(code, dir)
	case filepath.Base(code) == "bootstrap":
		root = filepath.Dir(code)
	default:
		root, err = dir, link(code, dir)
	}
	if err != nil {
		return "", err
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	return root, checkBootstrap(code, root)
}

// link puts the program into dir as bootstrap.
func link(program, dir string) error {
	path, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Symlink(path, filepath.Join(dir, "bootstrap"))
}

func checkBootstrap(code, root string) error {
	info, err := os.Stat(filepath.Join(root, "bootstrap"))
	switch {
	case err != nil:
		return fmt.Errorf("%s has no file bootstrap, which is what Lambda runs", code)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("the bootstrap of %s is not executable (%v), so Lambda would not run it", code, info.Mode())
	}
	return nil
}

func unzip(name, dir string) error {
	r, err := zip.OpenReader(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	left := int64(maxUnzipped)
	for _, f := range r.File {
		if err := unzipFile(f, dir, &left); err != nil {
			return fmt.Errorf("%s: %s: %w", name, f.Name, err)
		}
	}
	return nil
}

// unzipFile unpacks a file, which must lie within dir, and takes its size off
// what is left.
func unzipFile(f *zip.File, dir string, left *int64) error {
	if !filepath.IsLocal(f.Name) {
		return fmt.Errorf("the name leads out of the package")
	}
	path := filepath.Join(dir, f.Name)
	mode := f.Mode()
	if mode.IsDir() {
		return os.MkdirAll(path, 0o755)
	}
	if !mode.IsRegular() {
		return fmt.Errorf("it is no regular file (%v)", mode)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode.Perm())
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, *left+1))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if *left -= n; err == nil && *left < 0 {
		err = fmt.Errorf("unzipped, the package is larger than the %d bytes that Lambda takes", int64(maxUnzipped))
	}
	return err
}
