package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedCodeIsCurrent generates everything again and compares, when the models are there: in the folder that
// FOREGATE_MODELS names, or beside the repository.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	models := os.Getenv("FOREGATE_MODELS")
	if models == "" {
		models = "../../../../shared/models"
	}
	if _, err := os.Stat(models); err != nil {
		t.Skipf("the service models are not there: %v", err)
	}
	for _, s := range services {
		files, err := generate(models, s)
		if err != nil {
			t.Fatalf("generate %s: %v", s.name, err)
		}
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join("..", s.name, name))
			if err != nil {
				t.Error(err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what the generator writes: run go run ./internal/awsapi/gen -models %s", s.name, name, models)
			}
		}
	}
}
