# shellcheck shell=bash
# Builds every program of the cluster from source, at the versions of modules/*/go.mod.
#
# One Go module per program, because they disagree about the versions of their libraries.

KUBERNETES_VERSION=v1.34.4    # as in modules/kubernetes/go.mod
HELM_VERSION=v4.3.1           # as in modules/helm/go.mod

# Holds for every module: no C library, no paths of this machine, no debug information.
go_build() {                  # go_build MODULE LDFLAGS PACKAGE...
  local module=$1 ldflags=$2
  shift 2
  (cd "$HERE/modules/$module" && CGO_ENABLED=0 nice -n 10 \
    go build -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w $ldflags" -o "$BIN/" "$@")
}

build_kubernetes() {
  local commands=k8s.io/kubernetes/cmd version=k8s.io/component-base/version
  # Unstamped binaries call themselves v0.0.0-master, which clients refuse as too old.
  go_build kubernetes "-X $version.gitVersion=$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=34 \
    -X k8s.io/client-go/pkg/version.gitVersion=$KUBERNETES_VERSION" \
    go.etcd.io/etcd/server/v3 "$commands"/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kubectl,kube-proxy}
  mv "$BIN/server" "$BIN/etcd"   # Go names a program after the last part of its path
}
build_coredns() { go_build coredns "" github.com/coredns/coredns; }
build_helm() { go_build helm "-X helm.sh/helm/v4/internal/version.version=$HELM_VERSION" helm.sh/helm/v4/cmd/helm; }
build_collector() { go_build collector "" .; }
build_provisioner() { go_build provisioner "" .; }
build_pause() { gcc -O2 -static -s -o "$BIN/pause" "$HERE/modules/pause/pause.c"; }

# module -> the programs that it leaves in $BIN
declare -A PROGRAMS=(
  [pause]="pause"
  [kubernetes]="etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl kube-proxy"
  [provisioner]="provisioner"
  [coredns]="coredns"
  [collector]="collector"
  [helm]="helm"
)

# What a module's programs are made of: its own files and this one, which holds the flags.
fingerprint() { cat "$HERE/modules/$1"/* "$HERE/lib/build.sh" | sha256sum | cut -d' ' -f1; }

is_built() {
  local program
  [ "$(cat "$BIN/.$1.stamp" 2>/dev/null)" = "$(fingerprint "$1")" ] || return 1
  for program in ${PROGRAMS[$1]}; do [ -x "$BIN/$program" ] || return 1; done
}

# build: everything that is not there yet. 10 minutes on two cores from nothing, else at once.
build() {
  local module seconds
  mkdir -p "$BIN"
  exec 9>"$BIN/.lock"
  flock 9                     # two builds at once would only take each other's cores
  for module in pause kubernetes provisioner coredns collector helm; do
    is_built "$module" && continue
    command -v go >/dev/null || [ "$module" = pause ] || fail "Go 1.26 or newer is needed to build $module: https://go.dev/dl"
    say "cluster: building $module (${PROGRAMS[$module]})"
    seconds=$SECONDS
    "build_$module"
    fingerprint "$module" >"$BIN/.$module.stamp"
    say "cluster: built $module in $((SECONDS - seconds)) s"
  done
  exec 9>&-
}

require_built() {
  local module
  for module in "${!PROGRAMS[@]}"; do
    is_built "$module" || fail "$module is not built (or its sources have changed): run \`$0 build\` first"
  done
}
