// Command kubernetes is what makes a control plane a node: the kubelet, the
// scheduler and kube-proxy in one binary. Its first argument says which of them
// to be. The control plane itself is the one that the other tests use.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

const usage = "usage: kubernetes kubelet|kube-scheduler|kube-proxy [ARGUMENT]..."

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	role := os.Args[1]
	// Each role reads os.Args itself and expects its own name in the first place.
	os.Args = append([]string{role}, os.Args[2:]...)
	switch role {
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kube-proxy":
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	default:
		fmt.Fprintf(os.Stderr, "kubernetes: unknown role %q\n%s\n", role, usage)
		os.Exit(2)
	}
}
