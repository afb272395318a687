#!/bin/bash
# usage: build.sh OUTFILE     Vault 1.21.4; the tag "minimal" leaves out plugins for databases and clouds (transit, approle, cert, jwt and
# userpass stay). Everything but OUTFILE is gone at the end: the source is under a licence of its own and stays in Go's module cache.
set -euo pipefail
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
cp main.go go.mod "$W"; cd "$W"
# Vault 1.21.4 was built with an unreleased sdk. The released v0.21.0 is the nearest, and differs in two signatures: a copy of the module
# gets the three calls adapted (a name in the audit log, and an activation hook).
cp -r "$(cd /; go mod download -json github.com/hashicorp/vault@v1.21.4 | sed -n 's/.*"Dir": "\(.*\)",/\1/p')" vault
chmod -R u+w vault
sed -i 's/restoredKeyName, err := b.lm.RestorePolicy(/restoredKeyName := keyName\n\terr := b.lm.RestorePolicy(/' \
  vault/builtin/logical/transit/path_restore.go
sed -i 's/ActivationFunc: *iStore.activateDeduplication,/ActivationFunc: func(c context.Context, r *logical.Request, _ string) error { return iStore.activateDeduplication(c, r) },/' \
  vault/vault/identity_store.go
sed -i 's/idStoreBackend.ActivationFunc(ctx, nil)/idStoreBackend.ActivationFunc(ctx, nil, "")/' \
  vault/vault/logical_system_activation_flags.go
go mod edit -replace github.com/hashicorp/vault=./vault
go build -mod=mod -tags minimal -ldflags '-s -w' -o "$1" .
