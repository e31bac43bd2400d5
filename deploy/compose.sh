# Sourced by the scripts beside it: the function `compose` is Compose 2 where it is installed, else 1.29.
# COMPOSE_PROJECT_NAME and COMPOSE_PROFILES choose the stack, as for Compose itself.
# shellcheck shell=bash
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
elif command -v docker-compose >/dev/null; then
    compose() { docker-compose "$@"; }
else
    echo "error: neither \`docker compose\` nor \`docker-compose\` is installed" >&2
    exit 1
fi
# An engine without buildx has the classic builder; asking for another ends with an error.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
