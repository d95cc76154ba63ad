// A page that is opened from a folder may not start a worker: the search then runs in a hidden frame of the page instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => this.receive(data);
      this.ready = new Promise((resolve, reject) => {
        const script = inside.document.createElement("script");
        script.src = url;
        script.onload = resolve;
        script.onerror = reject;
        inside.document.head.append(script);
      });
    }

    receive(data) {
      const event = new MessageEvent("message", { data });
      this.onmessage?.(event);
      this.dispatchEvent(event);
    }

    postMessage(data) {
      const inside = this.frame.contentWindow;
      this.ready.then(
        () => inside.dispatchEvent(new inside.MessageEvent("message", { data })),
        () => this.onerror?.(new Event("error")),
      );
    }

    terminate() {
      this.frame.remove();
    }
  };
}
