package chart

import (
	"fmt"
	"os"
)

// Drawn is any chart of this package.
type Drawn interface {
	SVG() ([]byte, error)
}

// Save writes a chart to a file.
func Save(path string, c Drawn) error {
	svg, err := c.SVG()
	if err != nil {
		return fmt.Errorf("chart: %s: %w", path, err)
	}
	return os.WriteFile(path, svg, 0o644)
}
