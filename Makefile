# What a person runs. Each command installs what it lacks; docs/architecture.md says what the parts are.
.DEFAULT_GOAL := help
# A make that is run by another one, as the tests do, would print its directory beside the token.
MAKEFLAGS += --no-print-directory
# $(run) FILE: by the pinned Node, in place of the shell, so that Ctrl-C and SIGTERM reach it.
run := exec sh dev/node.sh

# Settings given as `make dev PORT=8444` reach the commands by themselves. USER and NAME must be given: a shell may have them of its own.
token: export USER = demo
revoke revocations: export USER =
client: export NAME =

.PHONY: help dev token revoke revocations client clients revoke-client grants end-grant rotate-keys screenshots api-key api-keys revoke-api-key tenant-export tenant-import tenant-delete up down test test-conformance fuzz test-compose bench doctor openapi types lint install

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

dev: install ## the whole stack as processes of this machine, with an embedded FalkorDB (PORT, MCP_REPLICAS, OAUTH_REPLICAS, DEV_DIR, FALKORDB_URL)
	@$(run) dev/stack.ts

token: install ## one access token for the running dev stack (TENANT, USER, SCOPE, TTL, DEV_DIR)
	@$(run) dev/token.ts

api-key: install ## a new API key, shown once; it works at once (TENANT, NAME, SCOPE, DAYS, DEV_DIR, API_KEYS_FILE)
	@$(run) deploy/api-keys.ts make

api-keys: install ## the API keys, without the keys themselves (DEV_DIR, API_KEYS_FILE)
	@$(run) deploy/api-keys.ts list

revoke-api-key: install ## ends an API key (ID, DEV_DIR, API_KEYS_FILE)
	@$(run) deploy/api-keys.ts revoke

revoke: install ## ends tokens before their time: TENANT=acme, USER=ada, JTI=…, GRANT=… (with ISSUER) or TOKEN=…, in the running stack or VALKEY_URL
	@$(run) dev/revoke.ts revoke

revocations: install ## lists what is revoked
	@$(run) dev/revoke.ts revocations

client: install ## a client for a machine, whose secret is shown once (NAME, TENANT, SCOPE, EXPIRES; AUTH=private_key_jwt JWKS_FILE=…), in the running stack or VALKEY_URL
	@$(run) dev/oauth-command.ts client

clients: install ## the clients for machines
	@$(run) dev/oauth-command.ts clients

revoke-client: install ## ends such a client and its tokens (CLIENT)
	@$(run) dev/oauth-command.ts revoke-client

grants: install ## which clients people have connected (SUBJECT, TENANT, CLIENT)
	@$(run) dev/oauth-command.ts grants

end-grant: install ## disconnects one of them (GRANT)
	@$(run) dev/oauth-command.ts end-grant

rotate-keys: install ## new signing and cookie keys for the built-in sign-in, without a failed request
	@$(run) dev/oauth-command.ts rotate-keys

tenant-export: install ## writes a tenant's graphs into files (TENANT, OUT=folder, COPY=yes for a moment that stands still), from the running stack or FALKORDB_URL
	@$(run) dev/tenant-data.ts tenant-export

tenant-import: install ## makes the graphs of an export (TENANT, FROM=folder)
	@$(run) dev/tenant-data.ts tenant-import

tenant-delete: install ## lists all graphs of a tenant, and with CONFIRM deletes them for ever (TENANT=acme CONFIRM=acme)
	@$(run) dev/tenant-data.ts tenant-delete

up: install ## the docker compose stack from .env, which is made with fresh secrets where it is absent
	@$(run) deploy/up.ts

down: ## stops the docker compose stack; its data stay
	@exec docker compose down

test: install ## everything: types, lint, units, journeys through real Traefik and real FalkorDB processes
	@$(run) tests/run.ts

test-conformance: install ## the official MCP conformance suite for both protocol versions; what fails is listed with its reason in tests/conformance
	@$(run) tests/run.ts conformance

fuzz: export FUZZ_MINUTES ?= 5
fuzz: install ## random tokens, headers and requests against the gateway, for FUZZ_MINUTES (5) each, and 100,000 hostile Cypher queries against FalkorDB (FUZZ_SEED, FUZZ_RUNS)
	@$(run) tests/run.ts fuzz

test-compose: install ## the same journeys against docker compose (needs an engine)
	@$(run) tests/run-compose.ts

bench: install ## the benchmark, as a table and as JSON
	@$(run) bench/run.ts

doctor: install ## what is wrong with this machine, .env, certificates or a running stack
	@$(run) dev/doctor.ts

screenshots: install ## takes the pictures of the sign-in's pages in docs/ anew
	@$(run) dev/screenshots.ts

openapi: install ## writes /openapi.json and /docs anew from the tools' contracts
	@$(run) services/mcp/openapi/write.ts

types: install ## checks the types
	@$(run) node_modules/typescript/bin/tsc --noEmit

lint: install ## checks the style
	@$(run) node_modules/eslint/bin/eslint.js .

# npm writes this file last; what it says goes to stderr, because `make token` prints a token and nothing else.
install: node_modules/.package-lock.json
	@:
node_modules/.package-lock.json: package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js with npm from https://nodejs.org, or by your package manager' >&2; exit 1; }
	@echo 'Installing packages (npm ci); the first time this takes a minute' >&2
	@npm ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
	@touch $@
