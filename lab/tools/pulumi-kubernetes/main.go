// Command pulumi-resource-kubernetes is Pulumi's own Kubernetes plugin, built from its module.
//
// The module's own main embeds files that are generated when it is released and that the module lacks. This one reads
// the schema, which the module has, from the folder beside it at run time.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	schema, err := readSchema()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-kubernetes: its schema:", err)
		os.Exit(1)
	}
	// The mapping serves `pulumi convert` from Terraform only.
	provider.Serve("kubernetes", version.Version, schema, []byte("{}"))
}

func readSchema() ([]byte, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Pulumi starts it by way of a link.
	executable, err = filepath.EvalSymlinks(executable)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(filepath.Dir(executable), "..", "share", "schema.json"))
}
