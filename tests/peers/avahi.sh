#!/bin/sh
# avahi-daemon with a host and two services, in the network that this runs in. It wants to be started by root and to become the
# user "avahi": here both are who runs this, in namespaces of its own, where the files that say otherwise are covered by others.
set -e
if [ "$1" != inside ]; then
    exec unshare --user --map-root-user --mount sh "$0" inside
fi

mount -t tmpfs tmpfs /run
echo 'avahi:x:0:0::/:/bin/false' >/run/passwd
echo 'avahi:x:0:' >/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
mkdir /run/services
mount --bind /run/services /etc/avahi/services

cat >/run/avahi.conf <<END
[server]
host-name=glass-printer
enable-dbus=no
allow-interfaces=tap0
[publish]
publish-workstation=no
publish-hinfo=no
END

service() {
    cat <<END
<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>$1</name><service><type>$2</type><port>$3</port>$4</service></service-group>
END
}
service 'Office Printer' _ipp._tcp 631 \
    '<txt-record>rp=ipp/print</txt-record><txt-record>note=Second floor</txt-record>' >/run/services/printer.service
service 'Überblick' _http._tcp 8080 '' >/run/services/page.service

exec /usr/sbin/avahi-daemon --no-drop-root --no-chroot --no-rlimits --file=/run/avahi.conf
