package k8s

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// checkSafety holds all pods to the restricted profile, by the very rules of the API server's admission, and to what it leaves open: a root file system
// that cannot be written, no token of the API, requests and limits, images of a named version.
func (c *cluster) checkSafety() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		c.complain("pod security: %v", err)
		return
	}
	for _, w := range c.pods {
		spec := &w.template.Spec
		results := evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &w.template.ObjectMeta, spec)
		if result := policy.AggregateCheckResults(results); !result.Allowed {
			c.complain("%s: not restricted: %s", w.name, result.ForbiddenDetail())
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			c.complain("%s: its pods get a token of the API, which they do not need", w.name)
		}
		if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
			c.complain("%s: its pods get a variable for each service, which may look like a setting", w.name)
		}
		for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
			c.checkSafe(w, container)
		}
	}
}

func (c *cluster) checkSafe(w workload, container corev1.Container) {
	if s := container.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
		c.complain("%s: the root file system of %s can be written", w.name, container.Name)
	}
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if _, ok := container.Resources.Requests[resource]; !ok {
			c.complain("%s: %s requests no %s", w.name, container.Name, resource)
		}
	}
	limit, limited := container.Resources.Limits[corev1.ResourceMemory]
	if request := container.Resources.Requests[corev1.ResourceMemory]; !limited || request.Cmp(limit) > 0 {
		c.complain("%s: the memory of %s has no limit, or one below what it requests", w.name, container.Name)
	}
	_, tag, tagged := strings.Cut(container.Image[strings.LastIndex(container.Image, "/")+1:], ":")
	if !tagged || tag == "latest" {
		c.complain("%s: the image %s names no version", w.name, container.Image)
	}
}
