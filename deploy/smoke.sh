#!/usr/bin/env bash
# Try the whole stack for real: build it, start it, break it, and see that nothing acknowledged is lost.
#
#   deploy/smoke.sh            everything (about two minutes, after the first build)
#   SMOKE_KEEP=1 deploy/smoke.sh     leave the stack running for a look; `deploy/smoke.sh down` removes it
#
# Needs Docker, Compose (2, or 1.29) and curl. Uses a project, ports and volumes of its own, so a stack that is running
# is left alone. Exits 1 at the first thing that is not as it should be, and tears down in any case.
# Grafana is started only when its image is on this machine or SMOKE_GRAFANA=1 allows to fetch it.
set -euo pipefail
cd "$(dirname "$0")/.."

project=duet-smoke
export DUET_PORT=${SMOKE_PORT:-18000} PROMETHEUS_PORT=${SMOKE_PROMETHEUS_PORT:-19090} GRAFANA_PORT=${SMOKE_GRAFANA_PORT:-13000}
web=http://127.0.0.1:$DUET_PORT
prometheus=http://127.0.0.1:$PROMETHEUS_PORT
python_image=python:3.11-slim-bookworm
most_mb=400
replicas=3

source deploy/compose.sh
export COMPOSE_PROJECT_NAME=$project COMPOSE_PROFILES=obs,load

# The demo alone, as `docker compose up` starts it, with several replicas.
up() { COMPOSE_PROFILES='' compose up -d --no-build --scale "app=$replicas" "$@"; }
now() { date +%s%N; }
since() { echo $((($(now) - $1) / 1000000)); } # milliseconds
say() { printf '%6.1f s  %s\n' "$(($(since "$began") / 100))e-1" "$*"; }
work=$(mktemp -d)
began=$(now)

fail() {
    say "FAILED: $*" >&2
    exit 1
}

tear_down() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ]; then
        echo "---- the last lines of each container" >&2
        compose logs --no-color --tail 15 >&2 2>&1 || true
    fi
    if [ -n "${SMOKE_KEEP:-}" ]; then
        say "left running: $web, $prometheus (remove with: deploy/smoke.sh down)"
    else
        compose down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1 || true
        say "torn down"
    fi
    rm -rf "$work"
    [ "$status" -eq 0 ] && echo "smoke test passed" || echo "smoke test FAILED" >&2
    exit "$status"
}

# wait_until SECONDS WHAT COMMAND…: until the command succeeds
wait_until() {
    local deadline=$(($(now) + $1 * 1000000000)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(now)" -lt "$deadline" ] || fail "$what: not in time"
        sleep 0.1
    done
}

same() { [ "$2" = "$3" ] || fail "$1: $2, expected $3"; }
ready() { curl -fsS -m 3 "$web/readyz"; }
in_replica() { docker exec "${replica[$1]}" "${@:2}"; }
has_class() { in_replica "$1" duet classes list 2>/dev/null | grep -q "$2"; }
container_ready() { docker exec "$1" python -I -S deploy/ready.py; }
classify() { curl -fsS -m 20 -D "$work/headers" -F image=@models/birds/golden.png "$web/classify?top_k=1"; }
healthy_targets() { curl -fsS "$prometheus/api/v1/targets?state=active" | grep -o '"health":"up"' | wc -l; }
all_targets_up() { [ "$(healthy_targets)" -eq $((replicas + 2)) ]; }

start() {
    say "building (the first time, base images and packages are fetched)"
    compose build >"$work/build" 2>&1 || { tail -20 "$work/build" >&2; fail "the build"; }
    say "built: service $(image_mb duet-serving:cpu) MB, of it $(added_mb) MB over $python_image"
    [ "$(added_mb)" -lt "$most_mb" ] || fail "the image adds $(added_mb) MB to its base; at most $most_mb"
    local asked
    asked=$(now)
    up >"$work/up" 2>&1 || { tail -20 "$work/up" >&2; fail "up"; }
    wait_until 120 "ready" ready
    say "ready $(since "$asked") ms after \`up\`: $(ready)"
    mapfile -t replica < <(compose ps -q app)
    same "replicas" "${#replica[@]}" "$replicas"
    for id in "${replica[@]}"; do wait_until 60 "replica $id" container_ready "$id"; done
    say "all $replicas replicas ready $(since "$asked") ms after \`up\`"
    redis=$(compose ps -q redis)
}

image_mb() { echo $(($(docker image inspect --format '{{.Size}}' "$1") / 1000000)); }
added_mb() { echo $(($(image_mb duet-serving:cpu) - $(image_mb "$python_image"))); }

check_fences() {
    local id
    for id in "${replica[@]}" "$redis" "$(compose ps -q proxy)"; do
        same "user" "$(docker exec "$id" id -u)" 10001
        same "capabilities" "$(docker exec "$id" sh -c "grep -c '^CapEff:.0*$' /proc/1/status")" 1
        same "no-new-privileges" "$(docker exec "$id" sh -c "awk '/NoNewPrivs/{print \$2}' /proc/1/status")" 1
        same "read-only root" "$(docker inspect --format '{{.HostConfig.ReadonlyRootfs}}' "$id")" true
        ! docker exec "$id" sh -c 'touch /x' 2>/dev/null || fail "the root of $id can be written to"
        ! docker exec "$id" sh -c 'command -v gcc || command -v make' >/dev/null || fail "$id has build tools"
    done
    ! in_replica 0 python -m pip --version >/dev/null 2>&1 || fail "pip is installed beside the service"
    same "ports of Redis" "$(docker port "$redis")" ""
    ! docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Ports}}' | grep -q '0\.0\.0\.0' ||
        fail "a port is published on other addresses than 127.0.0.1"
    say "not root, no capabilities, read-only roots, no build tools, Redis not published, ports on 127.0.0.1"
}

check_answers() {
    curl -fsS "$web/" | grep -qi '<html' || fail "the page at /"
    say "classified: $(classify | cut -c1-230)"
    wait_until 30 "the demo's classes" grep_seeded
    say "seeded: $(compose logs --no-color seed | grep -o 'seeded.*')"
    compose run --rm seed 2>/dev/null | grep -q 'nothing seeded' || fail "seeding twice"
    same "seen and seeded classes" "$(in_replica 1 duet classes list | grep -c mallard)" 1
}
grep_seeded() { compose logs --no-color seed | grep -q 'seeded 5 classes'; }

check_sharing() {
    in_replica 0 duet classes add smoke-bird --label "Smoke Bird" --prompt "a small grey bird with a red crown" >/dev/null
    local added other
    added=$(now)
    for other in 1 2; do wait_until 10 "class on replica $other" has_class "$other" smoke-bird; done
    say "a class added on one replica is on both others $(since "$added") ms later (the command's own start included)"
}

# Registers classes one after the other; the ids of those acknowledged go to the file `acknowledged`.
write_classes() {
    local n answer
    for n in $(seq 1 100000); do
        [ -e "$work/stop" ] && return
        answer=$(curl -sS -m 5 -o /dev/null -w '%{http_code}' "$web/classes" -H 'Content-Type: application/json' \
            -d "{\"id\":\"written-$n\",\"label\":\"Written $n\",\"prompt\":\"a bird with a blue crown and a red belly\"}" 2>/dev/null) || true
        if [ "$answer" = 201 ]; then echo "written-$n" >>"$work/acknowledged"; else echo "$answer" >>"$work/refused"; fi
    done
}

# load SECONDS: two clients that classify; the last line they print says how it went.
load() { compose run --rm -T -e "DUET_LOAD_SECONDS=$1" -e DUET_LOAD_CLIENTS=2 load; }

check_kills() {
    load 25 >"$work/load" 2>"$work/load.err" &
    local load=$! writer
    write_classes &
    writer=$!
    sleep 6
    docker kill "${replica[1]}" >/dev/null
    say "killed a replica under load"
    sleep 3
    docker kill "$redis" >/dev/null
    say "killed Redis in the middle of writes ($(wc -l <"$work/acknowledged") classes acknowledged)"
    sleep 2
    classify >/dev/null || fail "classifying without Redis"
    say "classified without Redis, from a snapshot $(tr -d '\r' <"$work/headers" | awk -F': ' 'tolower($1)=="x-registry-stale"{print $2}') s old"
    same "a write without Redis" "$(curl -s -m 5 -o /dev/null -w '%{http_code}' -X DELETE "$web/classes/smoke-bird")" 503
    docker start "${replica[1]}" >/dev/null
    wait_until 60 "a replica started without Redis" container_ready "${replica[1]}"
    has_class 1 smoke-bird || fail "a replica that started without Redis has no copy of the classes"
    say "the killed replica started again without Redis, with the copied classes"
    docker start "$redis" >/dev/null
    touch "$work/stop"
    wait "$writer"
    wait "$load" || { cat "$work/load" "$work/load.err" >&2; fail "photos stayed unanswered"; }
    say "load meanwhile: $(grep answered "$work/load")"
    check_nothing_lost
}

check_nothing_lost() {
    wait_until 30 "writes after Redis came back" curl -fsS -m 5 -X DELETE "$web/classes/smoke-bird"
    local n
    for n in 0 1 2; do
        wait_until 20 "replica $n behind" gone_from "$n"
        in_replica "$n" duet classes list --json >"$work/listed" 2>/dev/null
        grep -o 'written-[0-9]*' "$work/listed" | sort -u >"$work/there"
        sort -u "$work/acknowledged" | comm -23 - "$work/there" >"$work/lost"
        [ -s "$work/lost" ] && fail "lost: $(head -3 "$work/lost" | tr '\n' ' ')"
    done
    say "all $(wc -l <"$work/acknowledged") acknowledged classes are on every replica; $(wc -l <"$work/refused") writes were refused, not lost"
}
gone_from() { ! has_class "$1" smoke-bird; }

check_backup() {
    in_replica 0 duet classes add before-backup --label "Before" --prompt "a white bird with a red bill" >/dev/null
    say "$(deploy/backup.sh "$work/backup.tar")"
    in_replica 0 duet classes delete before-backup >/dev/null
    in_replica 0 duet classes add after-backup --label "After" --prompt "a white bird with a blue bill" >/dev/null
    deploy/restore.sh "$work/backup.tar" >/dev/null 2>&1 || fail "restore.sh"
    local n
    for n in 0 1 2; do
        wait_until 30 "replica $n after the restore" has_class "$n" before-backup
        ! has_class "$n" after-backup || fail "replica $n serves a class that the restored store does not have"
    done
    in_replica 0 duet classes add after-restore --label "Later" --prompt "a white bird with a green bill" >/dev/null
    wait_until 10 "a class after the restore" has_class 2 after-restore
    say "restored: the deleted class is back on every replica, the later one is gone, and classes can be added"
    curl -fsS "$web/export" >"$work/classes.jsonl"
    curl -fsS "$web/spaces" -H 'Content-Type: application/json' -d '{"name":"again","label":"Again"}' >/dev/null
    curl -fsS "$web/spaces/again/import" -H 'Content-Type: application/x-ndjson' --data-binary "@$work/classes.jsonl" >/dev/null
    same "classes exported and imported" "$(curl -fsS "$web/spaces/again/export" | sort | sha256sum)" "$(sort "$work/classes.jsonl" | sha256sum)"
    say "exported and imported into another class space: $(wc -l <"$work/classes.jsonl") classes, the same to the last degree"
}

check_upgrade() {
    load 20 >"$work/load" 2>"$work/load.err" &
    local load=$!
    sleep 3
    up --no-deps --force-recreate app >"$work/up" 2>&1 || { tail -20 "$work/up" >&2; fail "new containers"; }
    wait "$load" || { cat "$work/load" "$work/load.err" >&2; fail "photos stayed unanswered during an upgrade"; }
    mapfile -t replica < <(compose ps -q app)
    for id in "${replica[@]}"; do wait_until 60 "replica $id" container_ready "$id"; done
    say "every replica replaced under load: $(grep answered "$work/load")"
}

check_metrics() {
    compose up -d --no-build --no-deps prometheus >/dev/null 2>&1
    wait_until 60 "Prometheus targets" all_targets_up
    say "Prometheus: $(healthy_targets) targets up ($replicas replicas, proxy, itself), $(curl -fsS "$prometheus/api/v1/rules" | grep -o '"type":"alerting"' | wc -l) alert rules loaded"
    if [ -n "${SMOKE_GRAFANA:-}" ] || docker image inspect "$(grep -o 'grafana/grafana-oss:.*' docker-compose.yml)" >/dev/null 2>&1; then
        compose up -d --no-deps grafana >/dev/null 2>&1
        wait_until 60 "Grafana's dashboard" curl -fsS "http://127.0.0.1:$GRAFANA_PORT/api/dashboards/uid/duet"
        say "Grafana shows the dashboard"
    else
        say "Grafana not started: its image is not on this machine (SMOKE_GRAFANA=1 fetches it)"
    fi
    docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' $(compose ps -q) | sort | while read -r line; do say "memory: $line"; done
}

check_restart() {
    compose stop >/dev/null 2>&1
    compose rm -f -s app redis >/dev/null 2>&1
    local asked
    asked=$(now)
    up >/dev/null 2>&1
    wait_until 120 "ready again" ready
    say "ready $(since "$asked") ms after \`up\`, with new containers"
    mapfile -t replica < <(compose ps -q app)
    redis=$(compose ps -q redis)
    wait_until 30 "replica" container_ready "${replica[0]}"
    same "classes after new containers" \
        "$(in_replica 0 duet classes list --json 2>/dev/null | grep -o 'written-[0-9]*' | sort -u | comm -23 <(sort -u "$work/acknowledged") - | wc -l)" 0
    say "the classes outlived their containers"
}

if [ "${1:-}" = down ]; then
    compose down --volumes --remove-orphans
    exit
fi
trap tear_down EXIT
trap 'exit 130' INT TERM
compose down --volumes --remove-orphans >/dev/null 2>&1 || true
start
check_fences
check_answers
check_sharing
check_kills
check_backup
check_upgrade
check_metrics
check_restart
