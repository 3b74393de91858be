package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSampleChartsAreWellFormedAndNameEveryRival(t *testing.T) {
	for name, c := range samples() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.ArtifactDir(), name+".svg")
			require.NoError(t, Save(path, c))
			svg, err := os.ReadFile(path)
			require.NoError(t, err)
			words := texts(t, svg)
			for _, rival := range rivalsOf(c) {
				assert.Contains(t, words, rival)
			}
		})
	}
}

// texts reads the file as XML and returns the contents of its text elements.
func texts(t *testing.T, svg []byte) []string {
	t.Helper()
	var words []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok {
			words = append(words, string(data))
		}
	}
}

func rivalsOf(c Drawn) []string {
	var names []string
	switch c := c.(type) {
	case Bars:
		for _, r := range c.Panels[0].Rows {
			names = append(names, r.Name)
		}
	case Quantiles:
		for _, r := range c.Panels[0].Rows {
			names = append(names, r.Name)
		}
	case Spike:
		for _, p := range c.Panels {
			names = append(names, p.Name)
		}
	case Growth:
		for _, l := range c.Lines {
			names = append(names, l.Name)
		}
	}
	return names
}

func TestTheSameDataMakeTheSameBytes(t *testing.T) {
	for name, c := range samples() {
		first, err := c.SVG()
		require.NoError(t, err)
		for range 3 {
			again, err := samples()[name].SVG()
			require.NoError(t, err)
			assert.True(t, bytes.Equal(first, again), name)
		}
	}
}
