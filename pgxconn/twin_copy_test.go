package pgxconn_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestACopyIsWhatItIsWithPgxpool(t *testing.T) {
	tellBoth(t, []story{
		{"a copy gives its connection back", func(p *twin) {
			p.table()
			n, err := p.copy(p.ctx, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
			p.note(n, err, p.kept())
			p.back()
		}},
		{"a copy from a source that fails gives its connection back", func(p *twin) {
			p.table()
			_, err := p.copy(p.ctx, &source{rows: 3, valuesErr: errWork})
			p.refused(err)
			p.back()
			_, err = p.copy(p.ctx, &source{rows: 3, err: errWork})
			p.refused(err)
			p.back()
			_, err = p.copy(p.ctx, pgx.CopyFromRows([][]any{{"no number"}}))
			p.refused(err)
			p.back()
			p.note(p.kept())
		}},
		{"a copy that the server refuses gives its connection back", func(p *twin) {
			p.table()
			_, err := p.copy(p.ctx, pgx.CopyFromRows([][]any{{1}, {1}}))
			p.refused(err)
			p.back()
			_, err = p.CopyFrom(p.ctx, pgx.Identifier{"nowhere"}, []string{"n"}, pgx.CopyFromRows(nil))
			p.refused(err)
			p.back()
		}},
		{"a copy that its context ends costs the connection", func(p *twin) {
			p.table()
			ctx, cancel := context.WithCancel(p.ctx)
			_, err := p.copy(ctx, &source{rows: 1 << 30, on: func(row int) {
				if row == 10000 {
					cancel()
				}
			}})
			require.Error(p, err) // the context's, or that of the socket, which pgx closes
			p.gone()
			p.note(p.kept())
		}},
	})
}

func (p *twin) copy(ctx context.Context, rows pgx.CopyFromSource) (int64, error) {
	return p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, rows)
}

// source is a source of numbers.
type source struct {
	rows, row      int
	on             func(row int) // or nil
	err, valuesErr error
}

func (s *source) Next() bool {
	if s.row++; s.on != nil {
		s.on(s.row)
	}
	return s.row <= s.rows
}

func (s *source) Values() ([]any, error) { return []any{s.row}, s.valuesErr }
func (s *source) Err() error             { return s.err }
