#!/bin/sh
# Makes the tests' own certificate authority and a server certificate for localhost and 127.0.0.1, valid for 100 years.
# The authority's key is thrown away: nothing else can ever be signed with it.
set -eu
cd "$(dirname "$0")"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
work=$(mktemp -d)
key "$work/ca.key"
key server.key
openssl req -x509 -new -key "$work/ca.key" -days 36500 -subj "/CN=hioload-ws test authority" -out ca.pem \
    -addext "keyUsage=critical,keyCertSign,cRLSign"
openssl req -new -key server.key -subj "/CN=localhost" -out "$work/server.csr"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n' > "$work/ext"
openssl x509 -req -in "$work/server.csr" -CA ca.pem -CAkey "$work/ca.key" -set_serial 2 -days 36500 \
    -extfile "$work/ext" -out server.pem
rm -r "$work"
