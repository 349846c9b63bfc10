// Command provisioner gives the test cluster's volumes: folders on the one disk
// that all its nodes share.
//
// Kubernetes' own hostPath provisioner makes folders of mode 0750 owned by root,
// and fsGroup does not apply to hostPath, so a pod that does not run as root could
// not write to its volume. These folders are writable for everybody. A volume is
// bound to no node, since every node sees the same disk: a pod that moves to
// another node finds its data again, as with network storage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// name is what a StorageClass writes into `provisioner`.
const name = "timcluster.local/shared-disk"

// anybodyMayWrite is the mode of a volume's root folder: any user of any pod.
const anybodyMayWrite = 0o777

// folders makes and removes the volumes as folders below root.
type folders struct {
	root string
}

var errBlockVolume = errors.New("only volumeMode Filesystem is offered")

// Provision makes the folder of one claim. Doing it again is harmless.
func (f folders) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	spec := options.PVC.Spec
	if spec.VolumeMode != nil && *spec.VolumeMode == corev1.PersistentVolumeBlock {
		return nil, controller.ProvisioningFinished, errBlockVolume
	}
	path := filepath.Join(f.root, options.PVName)
	if err := os.MkdirAll(path, anybodyMayWrite); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make the volume's folder: %w", err)
	}
	// The umask took bits from the mode above.
	if err := os.Chmod(path, anybodyMayWrite); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("open the volume's folder to all users: %w", err)
	}
	directory := corev1.HostPathDirectory // not DirectoryOrCreate: a lost volume must be seen, not made anew
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   spec.AccessModes,
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: spec.Resources.Requests[corev1.ResourceStorage],
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &directory},
			},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

// Delete removes a volume's folder and all that is in it.
func (f folders) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	// From the name and not from the volume's path, which a user could have changed.
	if err := os.RemoveAll(filepath.Join(f.root, filepath.Base(volume.Name))); err != nil {
		return fmt.Errorf("remove the volume's folder: %w", err)
	}
	return nil
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig `file` of the cluster")
	root := flag.String("root", "", "the `folder` that holds the volumes")
	klog.InitFlags(nil)
	flag.Parse()
	if err := run(*kubeconfig, *root); err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
		os.Exit(1)
	}
}

func run(kubeconfig, root string) error {
	if !filepath.IsAbs(root) {
		return fmt.Errorf("--root %q is not an absolute path", root)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the Kubernetes client: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// One process, so no election; it would only write leases into the audit log.
	controller.NewProvisionController(
		ctx, client, name, folders{root}, controller.LeaderElection(false),
	).Run(ctx)
	return nil
}
