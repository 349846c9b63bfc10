# shellcheck shell=bash
# The cluster's certificate authority, and a certificate and a kubeconfig for every part of it.

CERTIFICATE_DAYS=365

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

create_authority() {
  install -d -m 0700 "$PKI"
  new_key "$PKI/ca.key"
  openssl req -x509 -new -key "$PKI/ca.key" -subj "/CN=$NAME" -days "$CERTIFICATE_DAYS" -out "$PKI/ca.crt"
}

# issue FILE COMMON_NAME [ORGANISATION] [SUBJECT_ALT_NAMES]: to Kubernetes the name is the user, the organisation its group
issue() {
  local file=$1 subject="/CN=$2" names=${4:-}
  [ -z "${3:-}" ] || subject="/O=$3/CN=$2"
  new_key "$PKI/$file.key"
  openssl req -new -key "$PKI/$file.key" -subj "$subject" -out "$PKI/$file.csr"
  {
    echo "extendedKeyUsage=serverAuth,clientAuth"
    [ -z "$names" ] || echo "subjectAltName=$names"
  } >"$PKI/$file.ext"
  openssl x509 -req -in "$PKI/$file.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -days "$CERTIFICATE_DAYS" \
    -extfile "$PKI/$file.ext" -out "$PKI/$file.crt" 2>/dev/null
  rm "$PKI/$file.csr" "$PKI/$file.ext"
}

# issue_user FILE COMMON_NAME [ORGANISATION] [SUBJECT_ALT_NAMES]: a certificate and the kubeconfig $STATE/FILE.kubeconfig
issue_user() {
  issue "$@"
  (umask 077 && cat >"$STATE/$1.kubeconfig") <<Y
apiVersion: v1
kind: Config
clusters:
  - name: $NAME
    cluster:
      server: https://$HOST_IP:6443
      certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
  - name: $2
    user:
      client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
      client-key-data: $(base64 -w0 "$PKI/$1.key")
contexts:
  - name: $NAME
    context: {cluster: $NAME, user: "$2"}
current-context: $NAME
Y
}

# Each part gets a name of its own, so that the audit log tells who did what.
create_identities() {
  create_authority
  issue apiserver kube-apiserver "" "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$KUBERNETES_SERVICE_IP,IP:$HOST_IP"
  issue kubelet-client kube-apiserver-kubelet-client system:masters
  new_key "$PKI/service-accounts.key"
  openssl pkey -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub"
  issue_user admin admin system:masters
  issue_user controller-manager system:kube-controller-manager
  issue_user scheduler system:kube-scheduler
  issue_user proxy system:kube-proxy
  issue_user coredns coredns system:masters
  issue_user provisioner provisioner system:masters
}
