#!/bin/bash
# SPDX-License-Identifier: MIT
#
# named answers 10 000 queries from dig, both under the shim: a loop on each processor, UDP and TCP, zone transfers, and
# answers that name never gives.
. "$(dirname "$0")/client.bash"

package bind9 bind9-dnsutils
named=$(PATH=$PATH:/usr/sbin command -v named) || cannot "no named"

# named drops no privileges here and serves one zone on a port of its own; SIGTERM ends it.
cat > "$scratch/serve.sh" << 'END'
named=$1 count=$2
port=$((20000 + RANDOM % 20000))
cat > named.conf << CONF
options {
    directory "$PWD"; pid-file none; session-keyfile none; managed-keys-directory "$PWD"; listen-on-v6 { none; };
    listen-on port $port { 127.0.0.1; }; recursion no; allow-transfer { any; }; dnssec-validation no; tcp-clients 200;
};
controls { };
zone "test" { type master; file "zone"; };
CONF
{
    echo '$TTL 60'
    echo '@ SOA ns.test. root.test. 1 60 60 60 60'
    echo '@ NS ns.test.'
    echo 'ns A 127.0.0.1'
    for i in $(seq 200); do echo "host$i A 10.0.0.$((i % 250))"; done
    for i in $(seq 60); do echo "big TXT \"$i aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""; done
} > zone
"$named" -f -c named.conf -n 2 2> log &
server=$!
for try in $(seq 200); do
    dig +time=1 +tries=1 +short @127.0.0.1 -p $port ns.test > answer 2>&1 && grep -q 127.0.0.1 answer && break
    sleep 0.05
done
for i in $(seq "$count"); do echo "host$((i % 210)).test A"; done > queries
# Four digs at once, each with an address of its own: they may take the same port otherwise, and each other's answers.
split -n l/4 queries part.
host=1
for part in part.*; do
    host=$((host + 1))
    dig +time=5 +tries=3 +short -b 127.0.0.$host @127.0.0.1 -p $port -f $part > answers.$part 2>&1 &
    digs="$digs $!"
done
for dig in $digs; do wait $dig || echo "dig ended with $?"; done
cat answers.* | wc -l
cat answers.* | cksum
head -n 300 queries | sed 's/$/ +tcp/' > tcp
dig +short @127.0.0.1 -p $port -f tcp | cksum
dig +short @127.0.0.1 -p $port +bufsize=512 big.test TXT | sort | cksum
dig +noall +answer @127.0.0.1 -p $port test AXFR | sort | cksum
dig +time=1 +tries=1 +short @127.0.0.1 -p 1 ns.test > /dev/null
echo "nobody there: $?"
kill -TERM $server
wait $server
echo "named ended with $?"
END
control "named" bash "$scratch/serve.sh" "$named" 10
client "10000 queries" bash "$scratch/serve.sh" "$named" 10000
finish_client
