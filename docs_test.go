package connpool

import (
	"go/ast"
	"go/doc"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inside is what only those who change the pool know of.
var inside = regexp.MustCompile(`(?i)\bseams? \d|\bfault \d|\b(first|earlier) draft\b`)

func TestWhatIsPublishedSpeaksOfNothingInside(t *testing.T) {
	for _, dir := range []string{".", "connpooltest", "keyed", "netconn", "pgxconn", "sqlconn"} {
		texts := published(t, dir)
		require.NotEmpty(t, texts, dir)
		for _, text := range texts {
			require.NotRegexp(t, inside, text, dir)
		}
	}
}

// published returns the texts that pkg.go.dev shows of the package in a folder.
func published(t *testing.T, dir string) (texts []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	fset := gotoken.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, dir)
	require.NoError(t, err)
	texts = append(texts, pkg.Doc)
	for _, f := range pkg.Funcs {
		texts = append(texts, f.Doc)
	}
	for _, v := range append(pkg.Consts, pkg.Vars...) {
		texts = append(texts, v.Doc)
	}
	for _, typ := range pkg.Types {
		texts = append(texts, typ.Doc, comments(typ.Decl))
		for _, f := range append(typ.Funcs, typ.Methods...) {
			texts = append(texts, f.Doc)
		}
	}
	return texts
}

// comments returns the comments within a declaration: of a struct's fields.
func comments(decl ast.Node) string {
	var text strings.Builder
	ast.Inspect(decl, func(n ast.Node) bool {
		if group, ok := n.(*ast.CommentGroup); ok {
			text.WriteString(group.Text())
		}
		return true
	})
	return text.String()
}
