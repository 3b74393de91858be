package pgxtest

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What follows has the shape of what sqlc generates for pgx/v5 from queries for
// one row, many rows, an execution, a batch and a copy.

const schema = `create table books (id int generated always as identity primary key, title text not null unique, pages int)`

type DBTX interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

type Queries struct{ db DBTX }

func New(db DBTX) *Queries { return &Queries{db} }

func (q *Queries) WithTx(tx pgx.Tx) *Queries { return &Queries{tx} }

type Book struct {
	ID    int32
	Title string
	Pages *int32
}

const insertBook = `insert into books (title, pages) values ($1, $2) returning id, title, pages`

type InsertBookParams struct {
	Title string
	Pages *int32
}

func (q *Queries) InsertBook(ctx context.Context, arg InsertBookParams) (Book, error) {
	row := q.db.QueryRow(ctx, insertBook, arg.Title, arg.Pages)
	var b Book
	err := row.Scan(&b.ID, &b.Title, &b.Pages)
	return b, err
}

const listBooks = `select id, title, pages from books order by title`

func (q *Queries) ListBooks(ctx context.Context) ([]Book, error) {
	rows, err := q.db.Query(ctx, listBooks)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var books []Book
	for rows.Next() {
		var b Book
		if err := rows.Scan(&b.ID, &b.Title, &b.Pages); err != nil {
			return nil, err
		}
		books = append(books, b)
	}
	return books, rows.Err()
}

const deleteBook = `delete from books where title = $1`

func (q *Queries) DeleteBook(ctx context.Context, title string) (int64, error) {
	tag, err := q.db.Exec(ctx, deleteBook, title)
	return tag.RowsAffected(), err
}

const setPages = `update books set pages = $2 where title = $1`

type SetPagesParams struct {
	Title string
	Pages int32
}

var errBatchClosed = errors.New("batch already closed")

type SetPagesBatchResults struct {
	results pgx.BatchResults
	length  int
	closed  bool
}

func (q *Queries) SetPages(ctx context.Context, args []SetPagesParams) *SetPagesBatchResults {
	batch := &pgx.Batch{}
	for _, a := range args {
		batch.Queue(setPages, a.Title, a.Pages)
	}
	return &SetPagesBatchResults{results: q.db.SendBatch(ctx, batch), length: len(args)}
}

func (b *SetPagesBatchResults) Exec(f func(int, error)) {
	defer b.results.Close()
	for i := range b.length {
		if b.closed {
			f(i, errBatchClosed)
			continue
		}
		_, err := b.results.Exec()
		f(i, err)
	}
}

func (b *SetPagesBatchResults) Close() error {
	b.closed = true
	return b.results.Close()
}

// bookRows is the source of a copy.
type bookRows struct {
	rows    []InsertBookParams
	started bool
}

func (r *bookRows) Next() bool {
	if len(r.rows) == 0 {
		return false
	}
	if r.started {
		r.rows = r.rows[1:]
	}
	r.started = true
	return len(r.rows) > 0
}

func (r *bookRows) Values() ([]any, error) { return []any{r.rows[0].Title, r.rows[0].Pages}, nil }
func (r *bookRows) Err() error             { return nil }

func (q *Queries) InsertBooks(ctx context.Context, args []InsertBookParams) (int64, error) {
	return q.db.CopyFrom(ctx, []string{"books"}, []string{"title", "pages"}, &bookRows{rows: args})
}
