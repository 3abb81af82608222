package compile

func (c *compiler) certificatesStage() {}
