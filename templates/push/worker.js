"use strict";
// Shows a notice that was pushed, and opens its page when it is touched. It controls no page and stores nothing.
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data ? event.data.json() : {};
  } catch (fault) {
    told = {};
  }
  const options = {
    body: String(told.body || ""),
    tag: String(told.tag || "recall"),
    lang: String(told.lang || ""),
    requireInteraction: true,
    data: { url: told.url ? String(told.url) : null },
  };
  event.waitUntil(self.registration.showNotification(String(told.title || "Recall"), options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data && event.notification.data.url;
  // Our own page only, whatever was pushed.
  if (url && new URL(url, self.location.origin).origin === self.location.origin) {
    event.waitUntil(self.clients.openWindow(url));
  }
});
