# make test         installs what the tests need (on Debian) and runs them all
# make short        the tests in a few seconds, without servers being required
# make bench        measures this pool and its rivals, in some ten minutes; writes
#                   bench/RESULTS.md and bench/charts
# make bench-quick  the same, smaller, in a minute; writes bench/quick

GO ?= go

.PHONY: test short bench bench-quick deps lint

test: deps lint
	$(GO) test -race -timeout 14m ./...
	cd bench && $(GO) test -race -timeout 5m ./...

short:
	$(GO) test -short ./...

bench: deps
	cd bench && $(GO) run .

bench-quick: deps
	cd bench && $(GO) run . -quick

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on:" $$unformatted; exit 1; }
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	GOARCH=386 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...

deps:
	@./.ci/deps
