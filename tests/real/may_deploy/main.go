// Answers as Argo CD would: may this AppProject deploy that object there? JSON on stdin, JSON on stdout.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A question; an object without a namespace is a cluster-wide one.
type question struct {
	Project   v1alpha1.AppProject
	Repo      string
	Server    string
	Name      string
	Namespace string
	Group     string
	Kind      string
	Object    string
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fail(err)
	}
	answers := []bool{}
	for _, one := range questions {
		answer, err := may(one)
		if err != nil {
			fail(err)
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fail(err)
	}
}

func may(one question) (bool, error) {
	if err := one.Project.ValidateProject(); err != nil {
		return false, fmt.Errorf("AppProject %s: %w", one.Project.Name, err)
	}
	if !one.Project.IsSourcePermitted(v1alpha1.ApplicationSource{RepoURL: one.Repo}) {
		return false, nil
	}
	cluster := &v1alpha1.Cluster{Server: one.Server, Name: one.Name}
	kind := schema.GroupKind{Group: one.Group, Kind: one.Kind}
	none := func(string) ([]*v1alpha1.Cluster, error) { return nil, nil }
	return one.Project.IsResourcePermitted(kind, one.Object, one.Namespace, cluster, none)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
