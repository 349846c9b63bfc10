# shellcheck shell=bash
# Container images without a registry and without a builder: a folder becomes an archive that
# containerd, podman and docker load. The same folder always gives the same bytes.

# write_archive ROOT NAME:TAG OUT.tar CONFIG: CONFIG is the JSON object of the image's `config` (User, Entrypoint, ...)
write_archive() {
  local root=$1 name=$2 out=$3 config=$4 work digest
  work=$(mktemp -d)
  deterministic_tar "$root" "$work/layer.tar" .
  digest=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(image_architecture)" "$config" "$digest" >"$work/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$work/manifest.json"
  deterministic_tar "$work" "$out" manifest.json config.json layer.tar
  rm -r "$work"
}

deterministic_tar() {         # deterministic_tar FOLDER OUT.tar MEMBER...
  local folder=$1 out=$2
  shift 2
  tar --create --file "$out" --directory "$folder" --format=gnu --sort=name --mtime=@0 \
    --owner=0 --group=0 --numeric-owner "$@"
}

# Images use Go's names of processors.
image_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
  esac
}

# add_program FILE DESTINATION ROOT: a program, and the libraries that it loads, at the paths where it looks for them
add_program() {
  install -D -m 0755 "$1" "$3$2"
  add_libraries "$1" "$3"
}

add_libraries() {             # add_libraries FILE ROOT
  local library
  # A line is "NAME => /PATH (ADDRESS)" or "/LOADER (ADDRESS)"; a static program has none.
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
    [ -e "$2$library" ] || install -D -m 0755 "$(readlink -f "$library")" "$2$library"
  done
}

# Lookups of host names and users load their libraries by name at run time, so `ldd` does not show them.
add_name_service() {          # add_name_service ROOT
  local library
  for library in $(ldconfig -p | grep -o '/[^ ]*/libnss_\(dns\|files\)\.so\.2'); do
    # Only those beside the C library of this processor, not the ones of another.
    [ -e "$1$(dirname "$library")/libc.so.6" ] || continue
    [ -e "$1$library" ] || install -D -m 0755 "$(readlink -f "$library")" "$1$library"
  done
  install -d "$1/etc"
  echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
}
