package k8s

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkNames looks whether all is in one namespace, which is among the manifests, and nothing is there twice.
func (c *cluster) checkNames() {
	namespaces := each[*corev1.Namespace](c)
	if len(namespaces) != 1 {
		c.complain("%d namespaces, not one", len(namespaces))
		return
	}
	if level := namespaces[0].Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		c.complain("the namespace enforces the pod security profile %q", level)
	}
	seen := map[string]bool{}
	for _, o := range c.objects {
		id := fmt.Sprintf("%T %s", o, o.GetName())
		if seen[id] {
			c.complain("%s is there twice", id)
		}
		seen[id] = true
		if _, isNamespace := o.(*corev1.Namespace); !isNamespace && o.GetNamespace() != namespaces[0].Name {
			c.complain("%s is in the namespace %q, not in %s", id, o.GetNamespace(), namespaces[0].Name)
		}
		for _, wrong := range validation.IsDNS1123Subdomain(o.GetName()) {
			c.complain("%s: %s", id, wrong)
		}
	}
}

// checkReferences looks whether what pods, sets and ingresses name is there.
func (c *cluster) checkReferences() {
	for _, w := range c.pods {
		for _, v := range w.template.Spec.Volumes {
			switch {
			case v.ConfigMap != nil:
				c.needConfigMap(w.name, v.ConfigMap.Name, itemKeys(v.ConfigMap.Items)...)
			case v.Secret != nil:
				c.needSecret(w.name, v.Secret.SecretName, itemKeys(v.Secret.Items)...)
			case v.Projected != nil:
				for _, source := range v.Projected.Sources {
					if source.ConfigMap != nil {
						c.needConfigMap(w.name, source.ConfigMap.Name, itemKeys(source.ConfigMap.Items)...)
					}
				}
			case v.PersistentVolumeClaim != nil:
				if _, ok := find[*corev1.PersistentVolumeClaim](c, v.PersistentVolumeClaim.ClaimName); !ok {
					c.complain("%s: there is no claim %s", w.name, v.PersistentVolumeClaim.ClaimName)
				}
			}
		}
		for _, container := range w.template.Spec.Containers {
			for _, from := range container.EnvFrom {
				if from.ConfigMapRef != nil {
					c.needConfigMap(w.name, from.ConfigMapRef.Name)
				}
				if from.SecretRef != nil {
					c.needSecret(w.name, from.SecretRef.Name)
				}
			}
			for _, env := range container.Env {
				if from := env.ValueFrom; from != nil && from.ConfigMapKeyRef != nil {
					c.needConfigMap(w.name, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
				} else if from != nil && from.SecretKeyRef != nil {
					c.needSecret(w.name, from.SecretKeyRef.Name, from.SecretKeyRef.Key)
				}
			}
		}
	}
	for _, set := range each[*appsv1.StatefulSet](c) {
		if _, ok := find[*corev1.Service](c, set.Spec.ServiceName); !ok {
			c.complain("StatefulSet %s: there is no service %s", set.Name, set.Spec.ServiceName)
		}
	}
	for _, ingress := range each[*networkingv1.Ingress](c) {
		c.checkIngress(ingress)
	}
}

func itemKeys(items []corev1.KeyToPath) (keys []string) {
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

func (c *cluster) needConfigMap(who, name string, keys ...string) {
	found, ok := find[*corev1.ConfigMap](c, name)
	if !ok {
		c.complain("%s: there is no ConfigMap %s", who, name)
		return
	}
	for _, key := range keys {
		if _, ok := found.Data[key]; !ok {
			c.complain("%s: the ConfigMap %s has no key %s", who, name, key)
		}
	}
}

func (c *cluster) needSecret(who, name string, keys ...string) {
	found, ok := find[*corev1.Secret](c, name)
	if !ok {
		c.complain("%s: there is no Secret %s, neither rendered nor in secrets.example.yaml", who, name)
		return
	}
	for _, key := range keys {
		if _, ok := secretValue(found, key); !ok {
			c.complain("%s: the Secret %s has no key %s", who, name, key)
		}
	}
}

func secretValue(s *corev1.Secret, key string) (string, bool) {
	if value, ok := s.StringData[key]; ok {
		return value, true
	}
	value, ok := s.Data[key]
	return string(value), ok
}

func (c *cluster) checkIngress(ingress *networkingv1.Ingress) {
	for _, tls := range ingress.Spec.TLS {
		c.needSecret("Ingress "+ingress.Name, tls.SecretName, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	for _, rule := range ingress.Spec.Rules {
		for _, path := range rule.HTTP.Paths {
			backend := path.Backend.Service
			service, ok := find[*corev1.Service](c, backend.Name)
			if !ok {
				c.complain("Ingress %s: there is no service %s", ingress.Name, backend.Name)
			} else if !servicePort(service, backend.Port.Name, backend.Port.Number) {
				c.complain("Ingress %s: the service %s has no port %s%d", ingress.Name, backend.Name, backend.Port.Name, backend.Port.Number)
			}
		}
	}
}

func servicePort(s *corev1.Service, name string, number int32) bool {
	for _, p := range s.Spec.Ports {
		if (name != "" && p.Name == name) || (name == "" && p.Port == number) {
			return true
		}
	}
	return false
}
