# make test         installs what the tests need (on Debian) and runs them all
# make short        the tests in a few seconds, without servers being required
# make bench        measures this pool and its rivals, in some ten minutes; writes
#                   bench/RESULTS.md and bench/charts
# make bench-quick  the same, smaller, in a minute; writes bench/quick
# make chaos        does 52 bad things to this pool and to others, in some five
#                   minutes; writes chaos/RESULTS.md
# make outage       keeps callers working through outages of PostgreSQL, in two
#                   minutes; writes chaos/outage/RESULTS.md and charts
# make soak         everything at once for ten minutes; make soak FOR=1h for longer
# make fuzz         half a minute for each fuzz target

GO ?= go
FOR ?= 10m

.PHONY: test short explore bench bench-quick chaos outage soak fuzz deps lint

test: deps lint explore
	$(GO) test -race -timeout 25m ./...
	cd bench && $(GO) test -race -timeout 10m ./...
	cd sqlconn/sqltest && $(GO) test -race -timeout 10m ./...
	cd pgxconn/pgxtest && $(GO) test -race -timeout 10m ./...
	cd examples/amqp && $(GO) test -race -timeout 10m ./...
	cd examples/mysql && $(GO) test -race -timeout 10m ./...
	cd chaos && RAPID_CHECKS=5000 RAPID_STEPS=100 $(GO) test -timeout 15m ./machine
	cd chaos && RAPID_CHECKS=500 RAPID_STEPS=100 $(GO) test -race -timeout 30m ./...

# The seams between the parts, run through in every order with few preemptions,
# and the mutants that this has to find.
explore:
	$(GO) test -tags explore -run Explore -timeout 40m . ./internal/...

short:
	$(GO) test -short ./...

bench: deps
	cd bench && $(GO) run .

bench-quick: deps
	cd bench && $(GO) run . -quick

chaos: deps
	cd chaos && $(GO) run .

outage: deps
	cd chaos && $(GO) run ./outage

soak:
	cd chaos && $(GO) run -race ./soak -for $(FOR)

fuzz:
	$(GO) test -run '^$$' -fuzz FuzzConfig -fuzztime 30s .
	$(GO) test -run '^$$' -fuzz FuzzText -fuzztime 30s ./internal/redact
	$(GO) test -run '^$$' -fuzz FuzzTransitions -fuzztime 30s ./internal/slot
	$(GO) test -run '^$$' -fuzz FuzzReplies -fuzztime 30s ./examples/redis

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags explore ./...
	cd bench && $(GO) vet ./...
	cd sqlconn/sqltest && $(GO) vet ./...
	cd pgxconn/pgxtest && $(GO) vet ./...
	cd examples/amqp && $(GO) vet ./...
	cd examples/mysql && $(GO) vet ./...
	cd chaos && $(GO) vet ./...
	GOARCH=386 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...

deps:
	@./.ci/deps
