package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
)

// placed is a line of text as the file has it, with the room that it may take in
// a wider font than that of the layout.
type placed struct {
	words         string
	x, y, x2, top vg.Length
}

var sizeOf = regexp.MustCompile(`font-weight:(\w+);.*font-size:([\d.]+)px`)

// level returns the lines of text of a file that are not turned.
func level(t *testing.T, svg []byte) (all []placed) {
	t.Helper()
	var attributes map[string]string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			attributes = nil
			if token.Name.Local == "text" {
				attributes = map[string]string{}
				for _, a := range token.Attr {
					attributes[a.Name.Local] = a.Value
				}
			}
		case xml.CharData:
			if attributes["transform"] == "scale(1, -1)" {
				all = append(all, place(t, string(token), attributes))
			}
			attributes = nil
		}
	}
}

func place(t *testing.T, words string, attributes map[string]string) placed {
	t.Helper()
	number := func(s string) vg.Length {
		v, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return vg.Length(v)
	}
	style := sizeOf.FindStringSubmatch(attributes["style"])
	require.NotNil(t, style, attributes["style"])
	size := number(style[2])
	font := textStyle(size, ink)
	if style[1] == "bold" {
		font = bold(size, ink)
	}
	x, y := number(attributes["x"]), -number(attributes["y"])
	return placed{words, x, y, x + widthOf(font, words), y + digitHeight*size}
}

// Where the font of the layout is missing, words are wider. They must neither run
// into each other nor out of the sheet. What is centred has room on both sides.
func TestWordsHaveRoomInAWiderFont(t *testing.T) {
	for name, c := range samples() {
		t.Run(name, func(t *testing.T) {
			svg, err := c.SVG()
			require.NoError(t, err)
			all := level(t, svg)
			require.NotEmpty(t, all)
			for i, a := range all {
				require.LessOrEqual(t, a.x2, sheetWidth, "%q leaves the sheet", a.words)
				for _, b := range all[:i] {
					apart := a.x >= b.x2 || b.x >= a.x2 || a.y >= b.top || b.y >= a.top
					require.True(t, apart, "%q runs into %q", a.words, b.words)
				}
			}
		})
	}
}
