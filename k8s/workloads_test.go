package k8s

import (
	"slices"
	"time"

	"github.com/robfig/cron/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// workload is what makes pods.
type workload struct {
	name     string // kind and name, for problems
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
	replicas *int32
	finite   bool // the pods of jobs end
}

func (c *cluster) addWorkload(obj runtime.Object) {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		c.pods = append(c.pods, workload{name: "Deployment " + o.Name, selector: o.Spec.Selector, template: o.Spec.Template, replicas: o.Spec.Replicas})
	case *appsv1.StatefulSet:
		c.pods = append(c.pods, workload{
			name: "StatefulSet " + o.Name, selector: o.Spec.Selector, template: o.Spec.Template, claims: o.Spec.VolumeClaimTemplates, replicas: o.Spec.Replicas,
		})
	case *batchv1.Job:
		c.pods = append(c.pods, workload{name: "Job " + o.Name, template: o.Spec.Template, finite: true})
	case *batchv1.CronJob:
		c.pods = append(c.pods, workload{name: "CronJob " + o.Name, template: o.Spec.JobTemplate.Spec.Template, finite: true})
		c.checkSchedule(o)
	}
}

// selected returns the workloads whose pods a selector takes.
func (c *cluster) selected(selector labels.Selector) (found []workload) {
	for _, w := range c.pods {
		if selector.Matches(labels.Set(w.template.Labels)) {
			found = append(found, w)
		}
	}
	return found
}

// ports returns the ports of a pod under both of their names.
func (w workload) hasPort(name string, number int32) bool {
	for _, container := range w.template.Spec.Containers {
		for _, p := range container.Ports {
			if (name != "" && p.Name == name) || (name == "" && p.ContainerPort == number) {
				return true
			}
		}
	}
	return false
}

func (c *cluster) checkSchedule(job *batchv1.CronJob) {
	if _, err := cron.ParseStandard(job.Spec.Schedule); err != nil {
		c.complain("CronJob %s: schedule: %v", job.Name, err)
	}
	if zone := job.Spec.TimeZone; zone != nil {
		if _, err := time.LoadLocation(*zone); err != nil || *zone == "Local" {
			c.complain("CronJob %s: there is no time zone %q", job.Name, *zone)
		}
	}
}

func (c *cluster) checkWorkloads() {
	for _, w := range c.pods {
		c.checkSelector(w)
		policy := w.template.Spec.RestartPolicy
		if w.finite && policy != corev1.RestartPolicyNever && policy != corev1.RestartPolicyOnFailure {
			c.complain("%s: the restart policy %q does not fit a job", w.name, policy)
		}
		if !w.finite && policy != "" && policy != corev1.RestartPolicyAlways {
			c.complain("%s: the restart policy %q does not fit pods that shall stay", w.name, policy)
		}
		for _, container := range w.template.Spec.Containers {
			c.checkContainer(w, container)
		}
	}
}

// checkSelector looks whether a workload finds its own pods, and no others.
func (c *cluster) checkSelector(w workload) {
	if w.finite {
		return // the API server makes the selectors of jobs
	}
	selector, err := metav1.LabelSelectorAsSelector(w.selector)
	if err != nil {
		c.complain("%s: selector: %v", w.name, err)
		return
	}
	found := c.selected(selector)
	if len(found) != 1 || found[0].name != w.name {
		c.complain("%s: its selector %s takes the pods of %d workloads, not just its own", w.name, selector, len(found))
	}
}

func (c *cluster) checkContainer(w workload, container corev1.Container) {
	probes := map[string]*corev1.Probe{"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe}
	for kind, probe := range probes {
		if probe == nil {
			if !w.finite && kind != "liveness" {
				c.complain("%s: no %s probe", w.name, kind)
			}
			continue
		}
		var port corev1.ContainerPort
		switch {
		case probe.HTTPGet != nil:
			port = corev1.ContainerPort{Name: probe.HTTPGet.Port.StrVal, ContainerPort: probe.HTTPGet.Port.IntVal}
		case probe.TCPSocket != nil:
			port = corev1.ContainerPort{Name: probe.TCPSocket.Port.StrVal, ContainerPort: probe.TCPSocket.Port.IntVal}
		case probe.Exec != nil && len(probe.Exec.Command) > 0:
			continue
		}
		if !w.hasPort(port.Name, port.ContainerPort) {
			c.complain("%s: the %s probe asks the port %s%d, which the pod does not have", w.name, kind, port.Name, port.ContainerPort)
		}
	}
	for _, mount := range container.VolumeMounts {
		inPod := slices.ContainsFunc(w.template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if !inPod && !slices.ContainsFunc(w.claims, func(claim corev1.PersistentVolumeClaim) bool { return claim.Name == mount.Name }) {
			c.complain("%s: %s is mounted and is no volume", w.name, mount.Name)
		}
	}
}
