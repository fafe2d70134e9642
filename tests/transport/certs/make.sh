#!/bin/sh
# Makes the certificates again. They are for tests only: the key is public, by being here.
# Validity is fixed, 2020 to 2120, so that the clock of the machine that ran this does not matter.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
: > "$work/index.txt"
cat > "$work/ca.conf" <<END
[ca]
default_ca = test
[test]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = policy
copy_extensions = none
[policy]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[end]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
for name in authority localhost; do
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$work/$name.key" -out "$work/$name.csr"
done
sign() {
    openssl ca -batch -notext -config "$work/ca.conf" -startdate 20200101000000Z -enddate 21200101000000Z \
        -keyfile "$work/authority.key" "$@"
}
sign -selfsign -extensions authority -in "$work/authority.csr" -out authority.pem
sign -cert authority.pem -extensions end -in "$work/localhost.csr" -out localhost.pem
cp "$work/localhost.key" localhost.key
rm -rf "$work"
