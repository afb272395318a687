module sealgate.invalid/vault

go 1.26

require github.com/hashicorp/vault v1.21.4

// Vault points these into its own source tree; these are the nearest releases (build.sh adapts the calls that differ).
replace (
	github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3
	github.com/hashicorp/vault/api => github.com/hashicorp/vault/api v1.22.0
	github.com/hashicorp/vault/sdk => github.com/hashicorp/vault/sdk v0.21.0
	github.com/ma314smith/signedxml v1.1.1 => github.com/moov-io/signedxml v1.1.1
)
