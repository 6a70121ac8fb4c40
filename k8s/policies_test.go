package k8s

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// checkPolicies looks whether autoscalers, budgets and network policies speak of pods that are there.
func (c *cluster) checkPolicies() {
	scaled := map[string]bool{}
	for _, h := range each[*autoscalingv2.HorizontalPodAutoscaler](c) {
		target := h.Spec.ScaleTargetRef.Kind + " " + h.Spec.ScaleTargetRef.Name
		scaled[target] = true
		c.checkAutoscaler(h, target)
	}
	for _, b := range each[*policyv1.PodDisruptionBudget](c) {
		for _, w := range c.taken("PodDisruptionBudget "+b.Name, b.Spec.Selector) {
			if !scaled[w.name] && (w.replicas == nil || *w.replicas < 2) {
				c.complain("PodDisruptionBudget %s: %s has one replica, whose node could never be drained", b.Name, w.name)
			}
		}
	}
	for _, p := range each[*networkingv1.NetworkPolicy](c) {
		c.checkNetworkPolicy(p)
	}
	for _, w := range c.pods {
		for _, spread := range w.template.Spec.TopologySpreadConstraints {
			if selector := c.taken(w.name+": spread", spread.LabelSelector); len(selector) == 0 {
				continue
			}
			for _, key := range spread.MatchLabelKeys {
				if w.template.Labels[key] == "" {
					c.complain("%s: spread: its pods have no label %s", w.name, key)
				}
			}
		}
	}
}

func (c *cluster) checkAutoscaler(h *autoscalingv2.HorizontalPodAutoscaler, target string) {
	for _, w := range c.pods {
		if w.name != target {
			continue
		}
		if w.replicas != nil {
			c.complain("HorizontalPodAutoscaler %s: %s says how many replicas there are too", h.Name, target)
		}
		for _, metric := range h.Spec.Metrics {
			for _, container := range w.template.Spec.Containers {
				if metric.Resource == nil {
					continue
				}
				if request, ok := container.Resources.Requests[metric.Resource.Name]; !ok || request.IsZero() {
					c.complain("HorizontalPodAutoscaler %s: %s requests no %s, of which it could use a share", h.Name, target, metric.Resource.Name)
				}
			}
		}
		return
	}
	c.complain("HorizontalPodAutoscaler %s: there is no %s", h.Name, target)
}

// taken returns the workloads that a selector takes, of which there must be one.
func (c *cluster) taken(who string, selector *metav1.LabelSelector) []workload {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		c.complain("%s: selector: %v", who, err)
		return nil
	}
	found := c.selected(s)
	if len(found) == 0 {
		c.complain("%s: the selector %s takes no pods", who, s)
	}
	return found
}

func (c *cluster) checkNetworkPolicy(p *networkingv1.NetworkPolicy) {
	who := "NetworkPolicy " + p.Name
	subjects := c.taken(who, &p.Spec.PodSelector)
	for _, rule := range p.Spec.Ingress {
		for _, peer := range rule.From {
			if peer.PodSelector != nil && peer.NamespaceSelector == nil {
				c.taken(who, peer.PodSelector)
			}
		}
		for _, w := range subjects {
			if !w.finite {
				c.needPorts(who, w, rule.Ports)
			}
		}
	}
	for _, rule := range p.Spec.Egress {
		for _, peer := range rule.To {
			if peer.PodSelector == nil || peer.NamespaceSelector != nil {
				continue
			}
			for _, w := range c.taken(who, peer.PodSelector) {
				c.needPorts(who, w, rule.Ports)
			}
		}
	}
}

func (c *cluster) needPorts(who string, w workload, ports []networkingv1.NetworkPolicyPort) {
	for _, p := range ports {
		if p.Port != nil && !w.hasPort(p.Port.StrVal, p.Port.IntVal) {
			c.complain("%s: %s has no port %s", who, w.name, p.Port.String())
		}
	}
}

// mayReach reports whether the network policies let the pods of one workload call a port of another.
func (c *cluster) mayReach(from, to workload, port int32) bool {
	policies := each[*networkingv1.NetworkPolicy](c)
	matches := func(s *metav1.LabelSelector, w workload) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && selector.Matches(labels.Set(w.template.Labels))
	}
	allows := func(peers []networkingv1.NetworkPolicyPeer, other workload, ports []networkingv1.NetworkPolicyPort) bool {
		peer, open := len(peers) == 0, len(ports) == 0
		for _, p := range peers {
			peer = peer || p.PodSelector != nil && p.NamespaceSelector == nil && matches(p.PodSelector, other)
		}
		for _, p := range ports {
			open = open || p.Port == nil || p.Port.IntVal == port || (p.Port.StrVal != "" && to.portNamed(p.Port.StrVal) == port)
		}
		return peer && open
	}
	out, outRuled, in, inRuled := false, false, false, false
	for _, p := range policies {
		for _, kind := range p.Spec.PolicyTypes {
			outRuled = outRuled || kind == networkingv1.PolicyTypeEgress && matches(&p.Spec.PodSelector, from)
			inRuled = inRuled || kind == networkingv1.PolicyTypeIngress && matches(&p.Spec.PodSelector, to)
		}
		for _, rule := range p.Spec.Egress {
			out = out || matches(&p.Spec.PodSelector, from) && allows(rule.To, to, rule.Ports)
		}
		for _, rule := range p.Spec.Ingress {
			in = in || matches(&p.Spec.PodSelector, to) && allows(rule.From, from, rule.Ports)
		}
	}
	return (out || !outRuled) && (in || !inRuled)
}

func (w workload) portNamed(name string) int32 {
	for _, container := range w.template.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == name {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// callee returns the workload behind a service here, and its port that a port of the service leads to.
func (c *cluster) callee(s *corev1.Service, port int32) (workload, int32, bool) {
	found := c.selected(labels.SelectorFromSet(s.Spec.Selector))
	if len(s.Spec.Selector) == 0 || len(found) != 1 {
		return workload{}, 0, false
	}
	for _, p := range s.Spec.Ports {
		if p.Port == port && p.TargetPort.StrVal != "" {
			return found[0], found[0].portNamed(p.TargetPort.StrVal), true
		}
		if p.Port == port {
			return found[0], p.TargetPort.IntVal, true
		}
	}
	return workload{}, 0, false
}
