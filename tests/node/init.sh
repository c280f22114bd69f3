#!/bin/bash
# The first process of the node's own namespaces: makes them a machine, and then
# becomes what reaps its orphans. When it is killed, everything in it is gone.
# usage: init.sh DIR PAUSE NODE-ADDRESS/BITS HOST-ADDRESS
set -euo pipefail
dir=$1 pause=$2 address=$3 gateway=$4

hostname node1
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns

# Places that daemons insist on, in our folder instead of the machine's.
for place in /var/log /var/lib/cni /var/lib/kubelet; do
  mkdir -p "$place" "$dir/mounts$place"
  mount --bind "$dir/mounts$place" "$place"
done

# The kubelet sets these for the whole machine: it is shown what it wishes for.
for wish in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 \
  kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$dir/sysctl/${wish%%=*}
  mkdir -p "$(dirname "$file")"
  echo "${wish##*=}" > "$file"
  mount --bind "$file" "/proc/sys/${wish%%=*}"
done

# Names outside the cluster are refused at once: an image that is not here then
# fails to be pulled in milliseconds.
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > "$dir/resolv.conf"
mount --bind "$dir/resolv.conf" "$(readlink -f /etc/resolv.conf)"

# The other end of this link comes from outside, once we are there.
until ip link show eth0 > /dev/null 2>&1; do read -rt 0.05 <> <(:) || :; done
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
ip route add default via "$gateway"
: > "$dir/ready"
exec "$pause"
