#!/bin/sh
# mosquitto, an MQTT broker for everybody who reaches one address, which tells each packet that it hears and sends:
#   mosquitto.sh ADDRESS PORT
# Runs as any user, keeps nothing but its configuration, and that no longer than it runs itself.
set -eu
address=$1 port=$2

PATH=$PATH:/usr/sbin:/sbin
own=$(mktemp -d)
mosquitto=
trap 'if [ -n "$mosquitto" ]; then kill "$mosquitto" 2>/dev/null && wait "$mosquitto" || :; fi; rm -rf "$own"' EXIT
trap 'exit 143' TERM INT HUP

# In a user namespace root may not become another user.
if [ "$(id -u)" -eq 0 ]; then echo 'user root' >"$own/mosquitto.conf"; fi
cat >>"$own/mosquitto.conf" <<CONF
listener $port $address
allow_anonymous true
persistence false
log_dest stderr
log_type all
log_timestamp false
CONF
mosquitto -c "$own/mosquitto.conf" &
mosquitto=$!
wait "$mosquitto"
