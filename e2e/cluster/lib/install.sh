# shellcheck shell=bash
# The packages of the distribution that the cluster and the tests use.

# program that shows that a package is there -> package (Debian 12 and newer, Ubuntu 22.04 and newer)
PACKAGES=(
  "containerd containerd"
  "runc runc"
  "/usr/lib/cni/bridge containernetworking-plugins"
  "iptables iptables"
  "conntrack conntrack"
  "ip iproute2"
  "sysctl procps"
  "nsenter util-linux"
  "openssl openssl"
  "gcc gcc"
  "/usr/lib/postgresql postgresql"
  "mariadbd mariadb-server-core"
  "mariadb mariadb-client-core"
  "/etc/ssl/certs/ca-certificates.crt ca-certificates"
)

has_program() { command -v "$1" >/dev/null || [ -e "$1" ] || [ -x "/usr/sbin/$1" ]; }

# install: only what is missing, and nothing (not even the package lists) when all is there
install_packages() {
  local line missing=()
  for line in "${PACKAGES[@]}"; do
    has_program "${line% *}" || missing+=("${line#* }")
  done
  if [ ${#missing[@]} = 0 ]; then
    say "cluster: all packages are installed"
    return
  fi
  command -v apt-get >/dev/null || fail "not a Debian or Ubuntu; install what these are called here: ${missing[*]}"
  say "cluster: installing with apt-get: ${missing[*]}"
  keep_servers_stopped
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The packages' own services would take ports and memory; the tests start servers of their own.
keep_servers_stopped() {
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    install -D -m 0644 /dev/stdin /etc/postgresql-common/createcluster.conf <<<'create_main_cluster = false'
}
