package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// buildRelease builds the program as it would be some releases later, each with one migration of tenants more. The files are
// laid over the source while it is built, so that nothing of them stays. With n files the program is the n-th release.
func (s *stack) buildRelease(ctx context.Context, files []string) (binary string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("a later release is built from the source, which must be here: %w", err)
	}
	root := strings.TrimSpace(string(out))
	folder := filepath.Join(root, "migrations/tenant")
	last, err := lastNumber(folder)
	if err != nil {
		return "", err
	}
	laid := map[string]string{}
	for i, text := range files {
		file := s.path(fmt.Sprintf("release-%d.sql", i+1))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		laid[filepath.Join(folder, fmt.Sprintf("%04d_bench.up.sql", last+1+i))] = file
	}
	text, err := json.Marshal(map[string]any{"Replace": laid})
	if err != nil {
		return "", err
	}
	overlay := s.path("overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	binary = s.path(fmt.Sprintf("gatehouse-%d", len(files)))
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/gatehouse")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	return binary, cmd.Run()
}

// lastNumber is that of the newest migration in a folder.
func lastNumber(folder string) (int, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.up.sql"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no migrations in %s (%w)", folder, err)
	}
	number, _, _ := strings.Cut(filepath.Base(slices.Max(files)), "_")
	return strconv.Atoi(number)
}
