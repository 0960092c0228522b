#!/bin/sh
# Makes the platform's package in a fresh container of node:22-bookworm or node:22-alpine, where the checkout is mounted.
set -eu

if command -v apk >/dev/null; then
  apk add --no-cache cargo clang-dev cmake g++ git linux-headers make perl pkgconf
else
  apt-get update
  apt-get install --yes --no-install-recommends cmake g++ git libclang-dev make perl pkg-config
  curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs | sh -s -- -y --profile minimal
  PATH="$HOME/.cargo/bin:$PATH"
fi
npm ci --no-audit --no-fund
node scripts/prebuild.mjs addon
