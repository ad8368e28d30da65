# The tools that are not in go.mod run at a pinned version without entering it.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0
FUZZTIME   ?= 60s
LOAD       ?= -duration 30m
ARCH       ?= arm64
STEPS      ?= 10000
SEEDS      ?= 5
SEED       ?= 0
PAGE       ?=
GO_BUILD    = CGO_ENABLED=0 go build -trimpath -ldflags="-s -w"
LAMBDA_FLAGS = $(shell sed '/^\#/d' cmd/bootstrap/goflags.txt)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
run: ## serve on 127.0.0.1:9091 with data under ./narthex-data
	go run ./cmd/narthex serve
build: ## bin/narthex for this machine, bin/bootstrap and bin/bootstrap-view for Lambda (on ARCH=arm64)
	$(GO_BUILD) -o bin/narthex ./cmd/narthex
	GOOS=linux GOARCH=$(ARCH) CGO_ENABLED=0 GOFLAGS="$(LAMBDA_FLAGS)" go build -o bin/bootstrap ./cmd/bootstrap
	GOOS=linux GOARCH=$(ARCH) CGO_ENABLED=0 GOFLAGS="$(LAMBDA_FLAGS)" go build -o bin/bootstrap-view ./cmd/bootstrap-view
dist: ## dist/bootstrap-*.zip for Lambda, the same bytes wherever they are built, and checksums
	go run ./internal/dist
test: ## Go's tests with the race detector, long ones scaled down
	go vet ./...
	go test -race -timeout 30m ./test ./... # the package that waits most first
acceptance: ## the same tests at full size (up to an hour)
	NARTHEX_ACCEPTANCE=1 go test -count=1 -timeout 60m ./...
chaos: ## the programs through STEPS faults and pushes, SEEDS seeds; SCENARIO=, SEED= to replay; PAGE=../../docs/chaos.md
	go test -count=1 -v -timeout 3h -parallel 4 -run '^TestChaos$$' ./test/chaos -args -steps $(STEPS) -seeds $(SEEDS) -seed $(SEED) -scenario '$(SCENARIO)' -page '$(PAGE)'
lint: ## gofmt, go vet, staticcheck
	@out=$$(find . -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +); \
		test -z "$$out" || { echo "not as gofmt writes them:"; echo "$$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
vuln: ## known vulnerabilities in what is linked (needs vuln.go.dev, or a module proxy)
	.ci/vulnerabilities go
fuzz: ## each fuzz target for FUZZTIME (60s)
	@set -e; for dir in $$(go list -f '{{.Dir}}' ./...); do \
		grep -qs '^func Fuzz' "$$dir"/*_test.go || continue; \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$dir"/*_test.go); do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir"; \
		done; done
bench: ## all comparisons with others, into docs/benchmarks.md (some 20 minutes; BENCH="-only push" for some, -long, -quick)
	-@test -d web/node_modules || $(MAKE) web/node_modules
	go run ./test/bench $(BENCH)
load: ## narthex under load for half an hour (LOAD), what it stood in bin/load
	go run ./test/load -out bin/load $(LOAD)
scale: ## a million and ten million series in shards and in one process, restarts, lost swaps (a quarter of an hour, 12 GiB)
	NARTHEX_ACCEPTANCE=1 go test -count=1 -v -timeout 60m -run '^TestScale' ./test
size: ## what the Lambda function links and weighs, against its budget
	go test -count=1 -v -run '^TestBootstrap' ./internal/shape
web: web/node_modules ## build the viewer into viewer/dist
	cd web && npm run build
web-check: web/node_modules ## the viewer's lint, types and tests; viewer/dist is what its source builds
	cd web && npm run lint && npm run typecheck && npm test
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && \
		(cd web && npm run build -- --outDir "$$out" --emptyOutDir) && diff -r viewer/dist "$$out" || \
		{ echo "viewer/dist is not what web/ builds: run make web and commit it"; exit 1; }
dashboards: ## write deploy/grafana/dashboards anew
	cd deploy/dashboards && go run . ../grafana/dashboards
deploy-check: deploy/cdk/node_modules ## the CDK constructs' lint, types and tests; the dashboards are what their source makes
	cd deploy/cdk && npm run lint && npm run typecheck && npm test
	cd deploy/dashboards && go vet .
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && \
		(cd deploy/dashboards && go run . "$$out") && diff -r deploy/grafana/dashboards "$$out" || \
		{ echo "deploy/grafana/dashboards is not what deploy/dashboards writes: run make dashboards and commit it"; exit 1; }
clients-check: clients/node/node_modules ## the Node client's format, types and tests
	cd clients/node && npm run lint && npm run typecheck && npm test
deploy/cdk/node_modules: deploy/cdk/package-lock.json
	cd deploy/cdk && npm ci --ignore-scripts && touch node_modules
clients/node/node_modules: clients/node/package-lock.json
	cd clients/node && npm ci --ignore-scripts && touch node_modules
web/node_modules: web/package-lock.json
	cd web && npm ci --ignore-scripts && touch node_modules
clean: ## remove what was built, keep data and caches
	rm -rf bin dist

.PHONY: help run build dist test acceptance chaos lint vuln fuzz bench load scale size web web-check dashboards deploy-check clients-check clean
