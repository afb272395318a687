#!/bin/bash
# A one-node Ceph cluster (mon + mgr + one in-memory OSD) with radosgw, loopback only, as root.
# Debian: radosgw ceph-mon ceph-mgr ceph-osd ceph-common
# usage: radosgw.sh FOLDER PORT MONITOR_PORT ACCESS SECRET
set -euo pipefail
D=$(realpath -m "$1"); PORT=$2; MONPORT=$3; AK=$4; SK=$5
rm -rf "$D"; mkdir -p "$D"/{mon,mgr,osd,rgw,run,log}
FSID=$(cat /proc/sys/kernel/random/uuid)
cat > "$D/ceph.conf" <<C
[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$MONPORT/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = $D/keyring
run dir = $D/run
admin socket = $D/run/\$name.asok
log file = $D/log/\$name.log
pid file = $D/\$name.pid
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
memstore page set = false
osd max object name len = 460
osd max object namespace len = 64
[mon.a]
mon data = $D/mon/a
mon cluster log file = $D/log/cluster.log
[mgr.x]
mgr data = $D/mgr/x
mgr initial modules =
[osd.0]
osd data = $D/osd/0
[client.rgw.main]
rgw frontends = beast endpoint=127.0.0.1:$PORT
rgw data = $D/rgw
rgw crypt require ssl = false
rgw verify ssl = false
rgw enable ops log = false
rgw dynamic resharding = false
C
export CEPH_CONF="$D/ceph.conf"
ceph-authtool --create-keyring "$D/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap mgr 'allow profile osd' --cap osd 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n client.rgw.main --cap mon 'allow rw' --cap osd 'allow rwx' --cap mgr 'allow rw' >/dev/null
monmaptool --create --clobber --addv a "[v2:127.0.0.1:$MONPORT]" --fsid "$FSID" "$D/monmap" >/dev/null
ceph-mon --mkfs -i a --monmap "$D/monmap" --keyring "$D/keyring"
ceph-mon -i a
mkdir -p "$D/mgr/x" "$D/osd/0"
ceph-mgr -i x
UUID=$(cat /proc/sys/kernel/random/uuid)
ceph -n client.admin osd new "$UUID" 0 >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$UUID" 2>"$D/log/mkfs.err"
ceph -n client.admin osd crush add osd.0 1.0 root=default >/dev/null 2>&1
ceph-osd -i 0 >/dev/null
radosgw -n client.rgw.main
for i in $(seq 60); do curl -fs -o /dev/null "http://127.0.0.1:$PORT/" && break; sleep 1; done
radosgw-admin -n client.admin user create --uid=test --display-name=test --access-key="$AK" --secret="$SK" >/dev/null
echo "ready http://127.0.0.1:$PORT"
