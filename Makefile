# make test    installs what the tests need (on Debian) and runs them all
# make bench   prints latency and throughput figures
# make short   the tests in a few seconds, without servers being required

GO ?= go

.PHONY: test short bench deps lint

test: deps lint
	$(GO) test -race -timeout 14m ./...

short:
	$(GO) test -short ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem -count 5 .

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on:" $$unformatted; exit 1; }
	$(GO) vet ./...
	GOARCH=386 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...

deps:
	@./.ci/deps
