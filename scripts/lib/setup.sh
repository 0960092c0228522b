# Sourced by scripts/start and scripts/test: brings a fresh clone to the point where it can build.
# Needs `checkout` (its folder). Every step says what it does, or that it is skipped and why.

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

require_node() {
  local cure='install Node 20.11 or newer with npm (https://nodejs.org), then run this again'
  command -v node >/dev/null || fail "node is missing: $cure"
  command -v npm >/dev/null || fail "npm is missing: $cure"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)' ||
    fail "node $(node --version) is too old: $cure"
}

find_cargo() {
  command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
  command -v cargo >/dev/null
}

require_cargo() {
  find_cargo || fail 'cargo is missing: install Rust (https://rustup.rs), then run this again'
}

# missing_packages COMMAND=PACKAGE...: the Debian packages of the commands that are not there. `libclang` is a library.
missing_packages() {
  local pair missing=()
  for pair in "$@"; do
    has "${pair%%=*}" || [[ " ${missing[*]-} " == *" ${pair#*=} "* ]] || missing+=("${pair#*=}")
  done
  echo "${missing[*]-}"
}

may_install() {
  [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null
}

# install_packages COMMAND=PACKAGE...
install_packages() {
  local missing log
  read -ra missing <<<"$(missing_packages "$@")"
  if [ ${#missing[@]} -eq 0 ]; then
    echo 'packages: skipped, all are there'
    return
  fi
  may_install ||
    fail "packages are missing: install ${missing[*]} (Debian: sudo apt-get install ${missing[*]}), then run this again"
  echo "packages: installing ${missing[*]}"
  log=$(mktemp)
  if ! { apt-get update && without_services apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install ${missing[*]}: see above"
  fi
  rm -f "$log"
}

# Debian starts the servers that it installs, nginx for all the world; tests start their own. A policy that is there stays.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  "$@"
)

# Why the native engine cannot be built here; nothing when it can.
no_compiler() {
  local missing
  find_cargo || { echo 'cargo is missing (https://rustup.rs)'; return; }
  missing=$(missing_packages "${compiler_packages[@]}")
  [ -z "$missing" ] || may_install || echo "packages are missing ($missing)"
}

has() {
  case "$1" in
    # Not libclang-cpp, which other programs bring along: bindgen loads the C library.
    libclang) compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s0-9]*' >/dev/null ||
      ldconfig -p 2>/dev/null | grep -qE 'libclang(-[0-9.]+)?\.so' ||
      [ -n "${LIBCLANG_PATH:-}" ] || [ "$(uname)" = Darwin ] ;;
    # Tools of the system administrator are not on everyone's PATH.
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

# Again only when package-lock.json has changed since the last time.
install_modules() {
  local stamp="$checkout/node_modules/.fetch-whep-lock" now
  now=$(node -p 'require("node:crypto").createHash("sha256").update(require("node:fs").readFileSync(process.argv[1])).digest("hex")' "$checkout/package-lock.json")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
    echo 'npm ci: skipped, package-lock.json has not changed'
    return
  fi
  echo 'npm ci: installing the npm packages'
  (cd "$checkout" && npm ci --no-audit --no-fund --loglevel=error) || fail 'npm ci did not succeed: see above'
  echo "$now" >"$stamp"
}

export DEBIAN_FRONTEND=noninteractive
compiler_packages=(git=git cmake=cmake make=make g++=g++ perl=perl pkg-config=pkg-config libclang=libclang-dev)
media_packages=(ffmpeg=ffmpeg ffprobe=ffmpeg)
test_packages=(
  chromium=chromium turnserver=coturn nft=nftables ip=iproute2 systemd-analyze=systemd nginx=nginx-light haproxy=haproxy
)
