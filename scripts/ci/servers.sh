# shellcheck shell=bash disable=SC2034 # the scripts beside this file use what stands here
# What belongs to which server.

servers=(servidor1 servidor2 servidor3)

# overlay SERVER is the folder whose kustomization names the image that the server runs.
overlay() { echo "k8s/overlays/microk8s/$1"; }

# The subject of a commit that sets tags begins so, and a trailer of it says which commit the image was built from.
subject='chore: run image'
trailer='Built-From'

# What all servers are made of: whatever is compiled or embedded or says how, and the manifests that they share.
common=(main.go go.mod go.sum Makefile .goreleaser.yaml scripts/image pkg roles web migrations k8s/components k8s/overlays/microk8s/servers)
common+=(':(exclude,glob)**/*_test.go' ':(exclude,glob)**/testdata/**')

# manifests SERVER are the paths that only this server is made of.
manifests() {
  case $1 in
    servidor1) echo k8s/base/pipeline k8s/base/mysql k8s/base/source deploy/compose.yaml ;;
    servidor2) echo k8s/base/tracking k8s/base/postgres k8s/base/minio ;;
    servidor3) echo k8s/base/serving k8s/base/prometheus k8s/base/grafana k8s/base/locust deploy/prometheus deploy/grafana deploy/locust ;;
  esac
  overlay "$1"
}
