// Vault, built from its Go module. `go install github.com/hashicorp/vault@...` refuses, since its go.mod has replace lines;
// a main module of our own may have them.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
